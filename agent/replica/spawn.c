/* From fork to exec: see spawn.h. Between the two only async-signal-safe calls are made: the agent
 * may have threads that held a lock at the fork. */
#include "agent/replica/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif
#define EXIT_NOT_STARTED 127
#define DESCRIPTORS_MAX 65536
#define OPEN_FILES_DEFAULT 65536 /* a server needs more than the usual 1024 */

enum step { STEP_FILES, STEP_CGROUP, STEP_RECORD, STEP_USER, STEP_PRIVILEGES, STEP_EXEC };

struct failure { /* what the child writes into the status pipe */
    int step, code;
};

/* --- in the child ------------------------------------------------------------------------------
 */

void spawn_close_from(int first)
{
    if (close_range((unsigned)first, ~0u, 0) == 0)
        return;
    for (int fd = first; fd < DESCRIPTORS_MAX; fd++)
        (void)close(fd);
}

static void close_at_exec_from(int first)
{
    if (close_range((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    for (int fd = first; fd < DESCRIPTORS_MAX; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void spawn_drop_capabilities(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    (void)syscall(SYS_capset, &head, none);
}

static void reset_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_files(const struct spawn *s)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(s->output_fd, STDOUT_FILENO) < 0 ||
        dup2(s->output_fd, STDERR_FILENO) < 0)
        return -errno;
    close_at_exec_from(STDERR_FILENO + 1);
    return chdir("/") < 0 ? -errno : 0;
}

static int join_cgroups(const struct spawn *s)
{
    for (size_t i = 0; i < s->n_procs_fds; i++)
        if (write(s->procs_fds[i], "0", 1) < 0) /* 0: whoever writes */
            return -errno;
    return 0;
}

static void set_limits(const struct launch *l)
{
    rlim_t wanted = l->open_files ? l->open_files : OPEN_FILES_DEFAULT;
    struct rlimit none = { 0, 0 }, files = { wanted, wanted };

    (void)setrlimit(RLIMIT_CORE, &none);
    if (l->open_files && setrlimit(RLIMIT_NOFILE, &files) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = wanted < files.rlim_max ? wanted : files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* The raw calls: glibc's would try to change the agent's other threads, which are not here. */
static int become_user(const struct launch *l)
{
    if (!l->switch_user || (l->uid == geteuid() && l->uid != 0))
        return 0;
    if (syscall(SYS_setgroups, l->n_groups, l->groups) < 0 ||
        syscall(SYS_setresgid, l->gid, l->gid, l->gid) < 0 ||
        syscall(SYS_setresuid, l->uid, l->uid, l->uid) < 0)
        return -errno;
    return 0;
}

static int drop_privileges(const struct spawn *s, pid_t parent)
{
    spawn_drop_capabilities();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    if (s->ends_with_us && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
        return -ESRCH;
    return 0;
}

static _Noreturn void fail(int status_fd, enum step step, int code)
{
    struct failure f = { (int)step, code };

    (void)!write(status_fd, &f, sizeof(f));
    _exit(EXIT_NOT_STARTED);
}

static _Noreturn void child_main(const struct spawn *s, int status_fd, pid_t parent)
{
    int r;

    (void)setsid();
    (void)umask(022);
    if ((r = set_files(s)) < 0)
        fail(status_fd, STEP_FILES, r);
    if ((r = join_cgroups(s)) < 0)
        fail(status_fd, STEP_CGROUP, r);
    if (s->before && (r = s->before(s->before_data)) < 0)
        fail(status_fd, STEP_RECORD, r);
    set_limits(s->launch);
    if ((r = become_user(s->launch)) < 0)
        fail(status_fd, STEP_USER, r);
    if ((r = drop_privileges(s, parent)) < 0)
        fail(status_fd, STEP_PRIVILEGES, r);
    reset_signals();
    (void)execve(s->launch->argv[0], s->launch->argv, s->launch->envp);
    fail(status_fd, STEP_EXEC, -errno);
}

/* --- in the agent ------------------------------------------------------------------------------
 */

pid_t spawn_fork(void)
{
    sigset_t all, before;
    pid_t pid;
    int code;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    code = errno;
    if (pid != 0)
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return pid;
}

/* Ends a child that cannot be watched. */
static int give_up(pid_t pid, int code, struct err *e)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return err_errno(e, code, "pidfd_open");
}

int spawn(const struct spawn *s, struct spawned *ret_spawned, struct err *e)
{
    AUTO(fd) int in = -1;
    AUTO(fd) int out = -1;
    pid_t pid, parent = getpid();
    int fds[2], pidfd;

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_errno(e, -errno, "pipe");
    in = fds[0];
    out = fds[1];
    pid = spawn_fork();
    if (pid < 0)
        return err_errno(e, -errno, "fork");
    if (pid == 0)
        child_main(s, out, parent);
    pidfd = pidfd_open(pid, 0); /* a child stays until it is waited for: this is the one */
    if (pidfd < 0)
        return give_up(pid, -errno, e);
    *ret_spawned = (struct spawned){ .pid = pid, .pidfd = pidfd, .status_fd = take_fd(&in) };
    return 0;
}

int spawn_status(int status_fd, const struct launch *launch, struct err *e)
{
    static const char *const STEPS[] = {
        "cannot set up its files", "cannot join its cgroup", "cannot write its record",
        "cannot become its user",  "cannot drop privileges", "cannot execute",
    };
    struct failure f;
    ssize_t n = read(status_fd, &f, sizeof(f));

    if (n < 0)
        return -errno;
    if (n != (ssize_t)sizeof(f) || f.step < STEP_FILES || f.step > STEP_EXEC)
        return 0;
    if (f.step == STEP_EXEC)
        return err_errno(e, f.code, "cannot execute %.200s", launch->argv[0]);
    return err_errno(e, f.code, "%s", STEPS[f.step]);
}
