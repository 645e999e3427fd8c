/* A child process on a loop: see child.h. Its end is told by a pidfd; until it is waited for, its
 * process id, and so its group's, cannot belong to anybody else. Between fork and exec only system
 * calls are made: other threads may have held any lock. */
#include "proto/base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define ERR_FLOOD (1u << 20) /* bytes of stderr, kept or dropped, that no honest child writes */
#define KILLED_MS 1000       /* that a killed child may take to die, when we cannot wait */

/* The child's descriptors. The last is closed by a successful exec, or brings the errno. */
enum { AT_STDIN, AT_STDOUT, AT_STDERR, AT_PROGRAM, AT_STATUS, AT_END };

struct stream {
    struct child *child;
    struct loop_io *io;
    int fd;
    struct strbuf kept;
    size_t most, seen;
};

struct child {
    struct loop *loop;
    child_done_fn *fn;
    void *data;
    pid_t pid; /* 0: waited for */
    int pid_fd, status_fd;
    struct loop_io *pid_io;
    struct loop_timer *timer;
    struct stream out, err;
    int64_t kill_ms;
    bool late, flooded;
};

/* --- the child's side ---------------------------------------------------------------------------
 */

static bool limit(int what, rlim_t most)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return false;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &(struct rlimit){ most, most }) == 0;
}

static bool limits(void)
{
    return limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 256) && limit(RLIMIT_CPU, 120) &&
           limit(RLIMIT_FSIZE, 16u << 20);
}

static void default_signals(void)
{
    const struct sigaction standard = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &standard, NULL); /* fails for SIGKILL and SIGSTOP */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Moves the descriptors to 0..AT_STATUS and closes all others. */
static bool arrange(const int fds[AT_END], bool keep_program)
{
    int high[AT_END];

    for (int i = 0; i < AT_END; i++)
        if ((high[i] = fcntl(fds[i], F_DUPFD, AT_END)) < 0)
            return false;
    for (int i = 0; i < AT_END; i++)
        if (dup2(high[i], i) < 0)
            return false;
    if (close_range(AT_END, ~0u, 0) < 0 || fcntl(AT_STATUS, F_SETFD, FD_CLOEXEC) < 0)
        return false;
    return keep_program || fcntl(AT_PROGRAM, F_SETFD, FD_CLOEXEC) == 0;
}

__attribute__((noreturn)) static void become(const struct child_order *order, const int fds[AT_END],
                                             bool script, pid_t parent)
{
    int why, status = fds[AT_STATUS];

    default_signals();
    (void)umask(077);
    if (setsid() >= 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
        chdir("/") == 0 && arrange(fds, script)) {
        status = AT_STATUS;
        if (limits() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
            (void)fexecve(AT_PROGRAM, (char *const *)order->argv, (char *const *)order->envp);
    }
    why = errno;
    (void)!write(status, &why, sizeof(why));
    _exit(127);
}

/* --- our side -----------------------------------------------------------------------------------
 */

static void stop_streams(struct child *c)
{
    loop_io_remove(TAKE(c->pid_io));
    loop_io_remove(TAKE(c->out.io));
    loop_io_remove(TAKE(c->err.io));
    if (c->timer)
        loop_timer_disarm(c->timer);
}

static void send(const struct child *c, int signal)
{
    if (kill(-c->pid, signal) < 0)
        (void)kill(c->pid, signal); /* not a group of its own yet */
}

/* 1: some bytes; 0: nothing at present; -1: nothing more will come. */
static int read_once(struct stream *s)
{
    char bytes[16384];
    ssize_t n = read(s->fd, bytes, sizeof(bytes));

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    s->seen += (size_t)n;
    if (s->kept.length < s->most) {
        size_t room = s->most - s->kept.length;

        strbuf_add(&s->kept, bytes, (size_t)n < room ? (size_t)n : room);
    }
    return 1;
}

static bool flooded(const struct child *c)
{
    return c->out.seen > c->out.most || c->err.seen > ERR_FLOOD;
}

static void on_output(void *data, int fd, unsigned events)
{
    struct stream *s = data;
    struct child *c = s->child;

    (void)fd;
    (void)events;
    if (read_once(s) < 0)
        loop_io_remove(TAKE(s->io)); /* it closed its end, and may live on */
    if (flooded(c) && !c->flooded) {
        c->flooded = true;
        send(c, SIGKILL);
    }
}

static void on_time(void *data, int64_t now_ms)
{
    struct child *c = data;

    (void)now_ms;
    if (c->late) {
        send(c, SIGKILL);
        return;
    }
    c->late = true;
    send(c, SIGTERM);
    loop_timer_arm(c->timer, c->kill_ms);
}

static struct child_result result_of(struct child *c, const siginfo_t *how)
{
    struct child_result r = {
        .end = how->si_code == CLD_EXITED ? CHILD_EXITED : CHILD_SIGNALED,
        .code = how->si_status,
        .out = strbuf_text(&c->out.kept),
        .n_out = c->out.kept.length,
        .err = strbuf_text(&c->err.kept),
        .n_err = c->err.kept.length,
    };
    int why;

    if (read(c->status_fd, &why, sizeof(why)) == (ssize_t)sizeof(why)) {
        r.end = CHILD_UNBORN;
        r.code = -why;
    } else if (c->flooded || flooded(c)) {
        r.end = CHILD_FLOODED;
    } else if (c->late) {
        r.end = CHILD_LATE;
    }
    return r;
}

static void on_end(void *data, int fd, unsigned events)
{
    struct child *c = data;
    struct child_result r;
    siginfo_t how = { 0 };

    (void)fd;
    (void)events;
    (void)kill(-c->pid, SIGKILL); /* what it left behind, while its id is still its own */
    if (waitid(P_PID, (id_t)c->pid, &how, WEXITED) < 0)
        return;
    c->pid = 0;
    stop_streams(c);
    while (!flooded(c) && read_once(&c->out) > 0)
        ;
    while (!flooded(c) && read_once(&c->err) > 0)
        ;
    r = result_of(c, &how);
    c->fn(c->data, &r);
}

static int watch(struct child *c, const struct child_order *order)
{
    int r = loop_io_add(c->loop, c->pid_fd, LOOP_READ, on_end, c, &c->pid_io);

    if (r == 0)
        r = loop_io_add(c->loop, c->out.fd, LOOP_READ, on_output, &c->out, &c->out.io);
    if (r == 0)
        r = loop_io_add(c->loop, c->err.fd, LOOP_READ, on_output, &c->err, &c->err.io);
    c->timer = loop_timer_add(c->loop, on_time, c);
    c->kill_ms = order->deadline_ms + order->grace_ms;
    loop_timer_arm(c->timer, order->deadline_ms);
    return r;
}

static bool is_script(int fd)
{
    char begin[2] = "";

    return pread(fd, begin, sizeof(begin), 0) == (ssize_t)sizeof(begin) &&
           memcmp(begin, "#!", 2) == 0;
}

static int fork_child(struct child *c, const struct child_order *order, const int fds[AT_END])
{
    bool script = is_script(order->program_fd); /* its interpreter opens /dev/fd/3 */
    pid_t us = getpid();
    sigset_t all, before;
    int why;

    (void)sigfillset(&all); /* no handler of ours may run in the child */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    c->pid = fork();
    why = errno;
    if (c->pid == 0)
        become(order, fds, script, us);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (c->pid < 0) {
        c->pid = 0;
        return -why;
    }
    c->pid_fd = pidfd_open(c->pid, 0);
    return c->pid_fd < 0 ? -errno : 0;
}

static int make_pipe(int *ret_ours, int *ret_theirs)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    *ret_ours = fds[0];
    *ret_theirs = fds[1];
    return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int start(struct child *c, const struct child_order *order)
{
    AUTO(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    AUTO(fd) int out = -1;
    AUTO(fd) int err = -1;
    AUTO(fd) int status = -1;
    int fds[AT_END], r;

    if (null < 0)
        return -errno;
    if ((r = make_pipe(&c->out.fd, &out)) < 0 || (r = make_pipe(&c->err.fd, &err)) < 0 ||
        (r = make_pipe(&c->status_fd, &status)) < 0)
        return r;
    fds[AT_STDIN] = order->stdin_fd >= 0 ? order->stdin_fd : null;
    fds[AT_STDOUT] = out;
    fds[AT_STDERR] = err;
    fds[AT_PROGRAM] = order->program_fd;
    fds[AT_STATUS] = status;
    r = fork_child(c, order, fds);
    return r < 0 ? r : watch(c, order);
}

int child_start(struct loop *l, const struct child_order *order, child_done_fn *fn, void *data,
                struct child **ret_child, struct err *e)
{
    AUTO(child) struct child *c = xcalloc(1, sizeof(*c));
    int r;

    *c = (struct child){ .loop = l, .fn = fn, .data = data, .pid_fd = -1, .status_fd = -1 };
    c->out = (struct stream){ .child = c, .fd = -1, .most = order->most_out };
    c->err = (struct stream){ .child = c, .fd = -1, .most = order->most_err };
    r = start(c, order);
    if (r < 0)
        return err_errno(e, r, "cannot start %s", order->argv[0]);
    *ret_child = TAKE(c);
    return 0;
}

static void kill_now(struct child *c)
{
    struct pollfd end = { .fd = c->pid_fd, .events = POLLIN };

    if (c->pid == 0)
        return;
    send(c, SIGKILL);
    if (c->pid_fd >= 0)
        (void)poll(&end, 1, KILLED_MS);
    (void)waitpid(c->pid, NULL, WNOHANG);
}

static void close_stream(struct stream *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    strbuf_done(&s->kept);
}

void child_free(struct child *c)
{
    if (!c)
        return;
    kill_now(c);
    stop_streams(c);
    loop_timer_remove(c->timer);
    close_stream(&c->out);
    close_stream(&c->err);
    if (c->pid_fd >= 0)
        (void)close(c->pid_fd);
    if (c->status_fd >= 0)
        (void)close(c->status_fd);
    free(c);
}
