/* One look at whether a replica is ready: see probe.h. */
#include "agent/replica/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/replica/log_tail.h"
#include "agent/replica/spawn.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define TIMEOUT_MS 1000
#define OUTPUT_MAX 4096u
#define TAIL_LINES 3
#define TAIL_BYTES 300

struct probe {
    struct loop *loop;
    probe_done_fn *fn;
    void *data;
    int64_t timeout_ms;
    struct loop_timer *timer; /* the time-out, or an answer that is known already */
    bool answered;
    bool ready;
    struct err why;
    struct http_call *call;
    int fd; /* TCP: the socket; EXEC: its output */
    struct loop_io *io;
    pid_t pid; /* EXEC, until it was waited for */
    int pidfd, status_fd;
    struct loop_io *pid_io;
    struct launch program; /* argv[0] alone, for messages */
    char output[OUTPUT_MAX];
    size_t n_output;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* --- a command that has to end ----------------------------------------------------------------
 */

struct ending { /* of a probe that is over: killed, and waited for without blocking */
    pid_t pid;
    int pidfd;
    struct loop_io *io;
};

/* The leader has ended. Until it is waited for, its number is its own: so is that of its group. */
static void wait_for_command(pid_t pid, siginfo_t *ret_info)
{
    (void)kill(-pid, SIGKILL);
    (void)waitid(P_PID, (id_t)pid, ret_info, WEXITED);
}

static void on_killed(void *data, int fd, unsigned events)
{
    struct ending *end = data;
    siginfo_t info = { 0 };

    (void)events;
    wait_for_command(end->pid, &info);
    loop_io_remove(end->io);
    (void)close(fd);
    free(end);
}

/* A command in an uninterruptible sleep takes its time to die; the loop does not wait for it. */
static void kill_command(struct probe *p)
{
    struct ending *end = xcalloc(1, sizeof(*end));

    *end = (struct ending){ .pid = p->pid, .pidfd = p->pidfd };
    (void)pidfd_send_signal(p->pidfd, SIGKILL, NULL, 0);
    (void)kill(-p->pid, SIGKILL);
    loop_io_remove(p->pid_io);
    p->pid_io = NULL;
    p->pidfd = -1;
    if (loop_io_add(p->loop, end->pidfd, LOOP_READ, on_killed, end, &end->io) < 0)
        on_killed(end, end->pidfd, 0); /* then it must be waited for here */
}

void probe_cancel(struct probe *p)
{
    if (!p)
        return;
    if (p->pid)
        kill_command(p);
    http_cancel(p->call);
    loop_timer_remove(p->timer);
    loop_io_remove(p->io);
    loop_io_remove(p->pid_io);
    close_fd(&p->fd);
    close_fd(&p->pidfd);
    close_fd(&p->status_fd);
    launch_done(&p->program);
    free(p);
}

static void answer(struct probe *p)
{
    p->fn(p->data, p->ready, p->ready ? "" : p->why.text);
    probe_cancel(p);
}

/* The answer is known before the loop has turned: it is given in the next turn. */
static void answer_soon(struct probe *p, bool ready)
{
    p->answered = true;
    p->ready = ready;
    loop_timer_arm(p->timer, loop_now_ms(p->loop));
}

static void on_timer(void *data, int64_t now_ms)
{
    struct probe *p = data;

    (void)now_ms;
    if (!p->answered)
        (void)err_set(&p->why, 0, "no answer within %" PRId64 " ms", p->timeout_ms);
    answer(p);
}

/* --- HTTP --------------------------------------------------------------------------------------
 */

static void on_response(void *data, const struct http_response *response)
{
    struct probe *p = data;

    p->call = NULL;
    p->ready = response->status >= 200 && response->status < 400;
    if (response->status == 0)
        p->why = response->error;
    else
        (void)err_set(&p->why, 0, "HTTP %d", response->status);
    answer(p);
}

static void start_http(struct probe *p, struct http_client *c, const struct wire_probe *spec,
                       const struct probe_target *target, uint32_t port)
{
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    bool v6 = strchr(target->address, ':') != NULL;
    struct http_request request = { .connect_ms = p->timeout_ms, .total_ms = p->timeout_ms };

    strbuf_printf(&url, "http://%s%s%s:%" PRIu32 "%s%s", v6 ? "[" : "", target->address,
                  v6 ? "]" : "", port, spec->path[0] == '/' ? "" : "/", spec->path);
    request.url = strbuf_text(&url);
    if (http_send(c, &request, on_response, p, &p->call, &p->why) < 0)
        answer_soon(p, false);
}

/* --- TCP ---------------------------------------------------------------------------------------
 */

static socklen_t socket_address(const char *text, uint32_t port, struct sockaddr_storage *ret)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof(*ret));
    if (strcmp(text, "localhost") == 0)
        text = "127.0.0.1";
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof(*v6);
    }
    return 0;
}

static void on_connected(void *data, int fd, unsigned events)
{
    struct probe *p = data;
    int code = 0;
    socklen_t n = sizeof(code);

    (void)events;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) < 0)
        code = errno;
    p->ready = code == 0;
    (void)err_set(&p->why, 0, "%s", strerror(code));
    answer(p);
}

static void start_tcp(struct probe *p, const struct probe_target *target, uint32_t port)
{
    struct sockaddr_storage to;
    socklen_t n = socket_address(target->address, port, &to);
    int r;

    if (n == 0) {
        (void)err_set(&p->why, 0, "%.100s: not an IP address, which a tcp probe needs",
                      target->address);
        answer_soon(p, false);
        return;
    }
    p->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    r = p->fd < 0 || (connect(p->fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS)
            ? -errno
            : loop_io_add(p->loop, p->fd, LOOP_WRITE, on_connected, p, &p->io);
    if (r < 0) {
        (void)err_set(&p->why, 0, "%s", strerror(-r));
        answer_soon(p, false);
    }
}

/* --- EXEC --------------------------------------------------------------------------------------
 */

/* Reads what there is; what is more than the buffer is read and dropped. */
static void read_output(struct probe *p)
{
    char rest[1024] = "";

    for (;;) {
        size_t room = sizeof(p->output) - p->n_output;
        ssize_t n = read(p->fd, room ? p->output + p->n_output : rest, room ? room : sizeof(rest));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) {
                loop_io_remove(p->io);
                p->io = NULL;
            }
            return;
        }
        p->n_output += room ? (size_t)n : 0;
    }
}

static void on_output(void *data, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    read_output(data);
}

static void on_command_ended(void *data, int fd, unsigned events)
{
    struct probe *p = data;
    AUTO(strbuf) struct strbuf tail = STRBUF_INIT;
    siginfo_t info = { 0 };
    struct err why = ERR_INIT;

    (void)fd;
    (void)events;
    wait_for_command(p->pid, &info);
    p->pid = 0;
    read_output(p);
    log_tail_of(p->output, p->n_output, TAIL_LINES, TAIL_BYTES, &tail);
    p->ready = info.si_code == CLD_EXITED && info.si_status == 0;
    if (spawn_status(p->status_fd, &p->program, &why) < 0)
        p->why = why;
    else
        (void)err_set(&p->why, 0, "%s %d%s%s",
                      info.si_code == CLD_EXITED ? "exit code" : "killed by signal", info.si_status,
                      tail.length ? ": " : "", strbuf_text(&tail));
    answer(p);
}

static int start_command(struct probe *p, const struct launch *launch, struct err *e)
{
    AUTO(fd) int out = -1;
    struct spawn how = { .launch = launch, .ends_with_us = true };
    struct spawned spawned;
    int fds[2], r;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "pipe");
    p->fd = fds[0];
    out = fds[1];
    if (fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0) /* our end alone: the command's must block */
        return err_errno(e, -errno, "pipe");
    how.output_fd = out;
    r = spawn(&how, &spawned, e);
    if (r < 0)
        return r;
    p->pid = spawned.pid;
    p->pidfd = spawned.pidfd;
    p->status_fd = spawned.status_fd;
    launch_argument(&p->program, launch->argv[0]);
    r = loop_io_add(p->loop, p->fd, LOOP_READ, on_output, p, &p->io);
    if (r == 0)
        r = loop_io_add(p->loop, p->pidfd, LOOP_READ, on_command_ended, p, &p->pid_io);
    return r < 0 ? err_errno(e, r, "cannot watch the command") : 0;
}

static void start_exec(struct probe *p, const struct probe_target *target)
{
    if (!target->launch || !target->launch->n_argv)
        (void)err_set(&p->why, 0, "no command to run");
    else if (start_command(p, target->launch, &p->why) == 0)
        return;
    answer_soon(p, false);
}

/* --- all ---------------------------------------------------------------------------------------
 */

struct probe *probe_start(struct loop *l, struct http_client *c, const struct wire_probe *spec,
                          const struct probe_target *target, probe_done_fn *fn, void *data)
{
    struct probe *p = xcalloc(1, sizeof(*p));
    uint32_t port = spec->port ? spec->port : target->port;

    p->loop = l;
    p->fn = fn;
    p->data = data;
    p->fd = p->pidfd = p->status_fd = -1;
    p->timeout_ms = spec->timeout_ms ? spec->timeout_ms : TIMEOUT_MS;
    p->timer = loop_timer_add(l, on_timer, p);
    loop_timer_arm(p->timer, loop_now_ms(l) + p->timeout_ms);
    switch (spec->kind) {
    case PROBE_HTTP:
        start_http(p, c, spec, target, port);
        break;
    case PROBE_TCP:
        start_tcp(p, target, port);
        break;
    case PROBE_EXEC:
        start_exec(p, target);
        break;
    default:
        answer_soon(p, true);
    }
    return p;
}
