/* Whose a port is: the tables of /proc as the kernel weighs them, and real sockets of a replica, of
 * its children and of strangers. Started with "listen PORT" this program is what a replica runs. */
#include "tests/unit/emulated.h"
#include "tests/unit/process_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agent/replica/listener.h"

/* --- sockets ---------------------------------------------------------------------------------- */

/* Port 0: any; the one that it got is returned, 0 when it is taken. */
static uint32_t listen_on(uint32_t port, int *ret_fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(*ret_fd, 4) < 0 || getsockname(*ret_fd, (struct sockaddr *)&at, &n) < 0)
        return 0;
    return ntohs(at.sin_port);
}

static uint32_t free_port(void)
{
    int fd;
    uint32_t port = listen_on(0, &fd);

    assert_true(port > 0);
    assert_int_equal(close(fd), 0);
    return port;
}

static int be_a_replica(uint32_t port)
{
    int fd;

    if (listen_on(port, &fd) == 0)
        return 1;
    for (;;)
        (void)pause();
}

static void start_listening(struct world *w, const char *before, uint32_t port, const char *after)
{
    char script[600], program[256];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

    assert_true(n > 0);
    program[n] = '\0';
    (void)snprintf(script, sizeof(script), "%s %s listen %u %s", before, program, (unsigned)port,
                   after);
    start_or_fail(w, "m-1", script, NULL);
}

static enum port_holder holder_of(struct world *w, const char *uid, uint32_t port)
{
    return process_port(w->p, uid, "127.0.0.1", port, &w->e);
}

/* --- of replicas ------------------------------------------------------------------------------ */

static void a_replicas_own_port(void **state)
{
    struct world *w = *state;
    uint32_t port = free_port();

    SKIP_WHEN_EMULATED("the shell cannot run a program of the other architecture");
    open_agent(w);
    assert_int_equal(holder_of(w, "m-1", port), PORT_FREE);
    start_listening(w, "exec", port, "");
    wait_until(holder_of(w, "m-1", port) != PORT_FREE);
    assert_int_equal(holder_of(w, "m-1", port), PORT_OWN);
    assert_int_equal(holder_of(w, "m-1", port), PORT_OWN); /* now known by its number */
    assert_int_equal(holder_of(w, "m-2", port), PORT_STRANGERS);
    assert_int_equal(holder_of(w, "m-1", 0), PORT_FREE); /* a replica without a port */
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
    assert_int_equal(holder_of(w, "m-1", port), PORT_FREE);
}

static void a_child_may_listen_for_it(void **state)
{
    struct world *w = *state;
    uint32_t port = free_port();

    SKIP_WHEN_EMULATED("the shell cannot run a program of the other architecture");
    open_agent(w);
    start_listening(w, "", port, "& wait");
    wait_until(holder_of(w, "m-1", port) != PORT_FREE);
    assert_int_equal(holder_of(w, "m-1", port), PORT_OWN);
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
}

static void a_strangers_port_is_told(void **state)
{
    struct world *w = *state;
    char says[64];
    int fd;
    uint32_t port = listen_on(0, &fd);

    open_agent(w);
    start_or_fail(w, "m-1", "exec sleep 1000", NULL);
    assert_int_equal(holder_of(w, "m-1", port), PORT_STRANGERS);
    (void)snprintf(says, sizeof(says), "port %u is taken: a process of user %u listens there",
                   (unsigned)port, (unsigned)geteuid());
    assert_says(w->e.text, says);
    assert_says(w->e.text, "ss -ltnp sport = :");
    assert_int_equal(close(fd), 0);
    wait_until(holder_of(w, "m-1", port) == PORT_FREE); /* its child had it until exec */
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
}

/* --- where we may not look -------------------------------------------------------------------- */

static void may_look(bool may)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct caps[2];

    assert_int_equal(syscall(SYS_capget, &head, caps), 0);
    caps[0].effective &= ~(1u << CAP_SYS_PTRACE);
    caps[0].effective |= may ? 1u << CAP_SYS_PTRACE : 0;
    assert_int_equal(syscall(SYS_capset, &head, caps), 0);
}

/* A stranger of the user "nobody"; its port comes through a pipe. */
static pid_t start_nobody(uint32_t *ret_port)
{
    int fds[2], fd;
    pid_t pid;

    assert_int_equal(pipe(fds), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        uint32_t port = setuid(65534) == 0 ? listen_on(0, &fd) : 0;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)!write(fds[1], &port, sizeof(port));
        (void)pause();
        _exit(0);
    }
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(read(fds[0], ret_port, sizeof(*ret_port)), sizeof(*ret_port));
    assert_int_equal(close(fds[0]), 0);
    return pid;
}

static void without_the_right_to_look_its_user_decides(void **state)
{
    struct world *w = *state;
    enum port_holder seen, unseen, roots;
    uint32_t port, own_port;
    int own;
    pid_t pid;

    if (geteuid() != 0 || prctl(PR_CAPBSET_READ, CAP_SYS_PTRACE) != 1)
        SKIP(w->test, "only root may look at others and then not");
    open_agent(w);
    assert_int_equal(start(w, "m-1", "echo up; exec sleep 1000", "nobody", NULL), 0);
    wait_until(log_bytes(w, "m-1") > 0);
    pid = start_nobody(&port);
    own_port = listen_on(0, &own);
    assert_true(port > 0 && own_port > 0);
    seen = holder_of(w, "m-1", port);
    may_look(false);
    unseen = holder_of(w, "m-1", port);
    roots = holder_of(w, "m-1", own_port);
    may_look(true);
    assert_int_equal(seen, PORT_STRANGERS);
    assert_int_equal(unseen, PORT_OWN);
    assert_int_equal(roots, PORT_STRANGERS);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(close(own), 0);
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
}

/* --- the tables ------------------------------------------------------------------------------- */

static void write_table(const struct world *w, const char *name, const char *rows)
{
    char path[160];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/net", w->root);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof(path), "%s/net/%s", w->root, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt"
                      "   uid  timeout inode\n",
                      f) >= 0);
    assert_true(fputs(rows, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

#define REST "00000000:00000000 00:00000000 00000000"
#define V4(address, port, state, uid, inode)                                              \
    "   0: " address ":" port " 00000000:0000 " state " " REST " " uid "        0 " inode \
    " 1 0000000000000000 100 0 0 10 0\n"
#define V6(address, port, state, uid, inode)                                                   \
    "   0: " address ":" port " 00000000000000000000000000000000:0000 " state " " REST " " uid \
    "        0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define ANY6 "00000000000000000000000000000000"

/* The inode of the one listener; -1: none, -2: several. */
static int64_t only_listener(const struct world *w, const char *address, uint32_t port)
{
    struct listener found[4];
    int n = listeners_of(w->root, address, port, found, ARRAY_LEN(found));

    assert_true(n >= 0);
    return n == 0 ? -1 : n > 1 ? -2 : (int64_t)found[0].inode;
}

/* Fixtures are of a little-endian kernel, as x86-64 and arm64 run it. */
static void the_best_fitting_listener_counts(void **state)
{
    struct world *w = *state;
    struct listener one;

    assert_int_equal(listeners_of(w->root, "10.0.0.7", 8000, &one, 1), -ENOENT);
    write_table(w, "tcp",
                V4("0700000A", "1F40", "0A", "33", "101") /* 10.0.0.7:8000 */
                V4("00000000", "1F40", "0A", "34", "102") /* *:8000 */
                V4("00000000", "1F41", "0A", "0", "103")  /* *:8001 */
                V4("0100007F", "1F42", "0A", "0", "104")  /* 127.0.0.1:8002 */
                V4("0700000A", "1F45", "06", "0", "0")    /* no listener: the end of them */
                V4("0700000A", "1F43", "0A", "0", "105"));
    assert_int_equal(only_listener(w, "10.0.0.7", 8000), 101); /* there is no tcp6: no IPv6 */
    write_table(w, "tcp6",
                V6(ANY6, "1F40", "0A", "0", "201")                               /* [::]:8000 */
                V6(ANY6, "1F41", "0A", "0", "202")                               /* [::]:8001 */
                V6(ANY6, "1F44", "0A", "0", "203")                               /* [::]:8004 */
                V6("0000000000000000FFFF00000700000A", "1F41", "0A", "0", "204") /* mapped */
                V6("000000FD000000000000000007000000", "1F44", "0A", "0", "205"));
    assert_int_equal(listeners_of(w->root, "10.0.0.7", 8000, &one, 1), 1);
    assert_int_equal(one.uid, 33);
    assert_int_equal(only_listener(w, "10.0.0.8", 8000), 102);
    assert_int_equal(only_listener(w, "10.0.0.7", 8001), 204);
    assert_int_equal(only_listener(w, "10.0.0.8", 8001), 103);
    assert_int_equal(only_listener(w, "10.0.0.7", 8002), -1); /* loopback is another's business */
    assert_int_equal(only_listener(w, "10.0.0.7", 8003), -1);
    assert_int_equal(only_listener(w, "10.0.0.7", 8004), 203);
    assert_int_equal(only_listener(w, "fd00::7", 8000), 201);
    assert_int_equal(only_listener(w, "fd00::7", 8002), -1);
    assert_int_equal(only_listener(w, "localhost", 8002), 104);
    assert_int_equal(only_listener(w, "node.example", 8000), -2); /* all of them */
}

static void connections_with_a_request_count(void **state)
{
    struct world *w = *state;

    assert_int_equal(connections_to(w->root, 8000), -ENOENT);
    write_table(w, "tcp",
                V4("00000000", "1F40", "0A", "0", "1")   /* listens */
                V4("0700000A", "1F40", "01", "0", "2")   /* established */
                V4("0700000A", "1F40", "08", "0", "3")   /* its client has said all */
                V4("0700000A", "1F40", "03", "0", "0")   /* opening */
                V4("0700000A", "1F40", "06", "0", "0")   /* over: TIME_WAIT */
                V4("0700000A", "1F40", "04", "0", "4")   /* closed by the replica */
                V4("0700000A", "1F41", "01", "0", "5")); /* another port */
    assert_int_equal(connections_to(w->root, 8000), 3);
    write_table(w, "tcp6", V6("0000000000000000FFFF00000700000A", "1F40", "01", "0", "6"));
    assert_int_equal(connections_to(w->root, 8000), 4);
    assert_int_equal(connections_to(w->root, 8002), 0);
}

static void our_own_connections_do_not_count(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd, ours, theirs;
    uint32_t port = listen_on(0, &fd);
    pid_t child;

    (void)state;
    at.sin_port = htons((uint16_t)port);
    assert_int_equal(connections_to("/proc", port), 0);
    ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ours, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(connections_to("/proc", port), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        theirs = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)connect(theirs, (struct sockaddr *)&at, sizeof(at));
        (void)pause();
        _exit(0);
    }
    wait_until(connections_to("/proc", port) == 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(close(ours), 0);
    assert_int_equal(close(fd), 0);
    wait_until(connections_to("/proc", port) == 0);
}

static void damaged_tables_hold_nothing(void **state)
{
    struct world *w = *state;

    write_table(w, "tcp",
                "\n"
                "   0: 0700000A:1F40\n"
                "   0: 07:1F40 00000000:0000 0A " REST " 0        0 9 1\n"
                "   0: 0700000A07:1F40 00000000:0000 0A " REST " 0        0 9 1\n"
                "   x: 0700000A:1F40 00000000:0000 0A " REST " 0        0 9 1\n"
                "   0: ZZZZZZZZ:1F40 00000000:0000 0A " REST " 0        0 9 1\n");
    assert_int_equal(only_listener(w, "10.0.0.7", 8000), -1);
    assert_int_equal(connections_to(w->root, 8000), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_replicas_own_port),
        TEST(a_child_may_listen_for_it),
        TEST(a_strangers_port_is_told),
        TEST(without_the_right_to_look_its_user_decides),
        TEST(the_best_fitting_listener_counts),
        TEST(connections_with_a_request_count),
        TEST(our_own_connections_do_not_count),
        TEST(damaged_tables_hold_nothing),
    };

    if (argc == 3 && strcmp(argv[1], "listen") == 0)
        return be_a_replica((uint32_t)strtoul(argv[2], NULL, 10));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
