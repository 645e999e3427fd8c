/* The power-off command: see power_off.h. */
#include "agent/power_off.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/array.h"

#define POLL_MS 100

struct power_off {
    pid_t pid;
    int fd;             /* pidfd; without one its end is asked for every POLL_MS */
    struct loop_io *io; /* of the pidfd */
    struct loop_timer *timer;
    int64_t give_up_ms;
    power_off_fn *fn;
    void *data;
};

static int write_alarm(const char *path, const char *text)
{
    AUTO(fd) int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int power_off_set_alarm(const char *path, int64_t wall_ms, struct err *e)
{
    char text[32];
    int r = write_alarm(path, "0"); /* an armed clock refuses another alarm */

    (void)snprintf(text, sizeof(text), "%lld", (long long)(wall_ms / 1000));
    if (r == 0)
        r = write_alarm(path, text);
    return r < 0 ? err_errno(e, r, "%s", path) : 0;
}

void power_off_free(struct power_off *p)
{
    if (!p)
        return;
    loop_io_remove(p->io);
    loop_timer_remove(p->timer);
    if (p->fd >= 0)
        (void)close(p->fd);
    free(p);
}

static void tell(struct power_off *p, const char *why)
{
    loop_io_remove(TAKE(p->io));
    loop_timer_remove(TAKE(p->timer));
    p->fn(p->data, why);
}

/* `status` is of waitpid(), which returned `pid`. */
static void tell_end(struct power_off *p, pid_t pid, int status)
{
    char why[64] = "";

    if (pid < 0)
        (void)snprintf(why, sizeof(why), "its end was lost: %s", strerror(errno));
    else if (WIFSIGNALED(status))
        (void)snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        (void)snprintf(why, sizeof(why), "exited with code %d", WEXITSTATUS(status));
    tell(p, why);
}

static void ended(void *data, int fd, unsigned events)
{
    struct power_off *p = data;
    int status = 0;
    pid_t pid = waitpid(p->pid, &status, 0);

    (void)fd;
    (void)events;
    tell_end(p, pid, status);
}

static void end_it(struct power_off *p)
{
    (void)kill(-p->pid, SIGKILL);
    (void)kill(p->pid, SIGKILL);
    (void)waitpid(p->pid, NULL, 0);
    tell(p, "it did not end in time");
}

static void on_time(void *data, int64_t now_ms)
{
    struct power_off *p = data;
    int status = 0;
    pid_t pid = waitpid(p->pid, &status, WNOHANG);

    if (pid != 0)
        tell_end(p, pid, status);
    else if (now_ms >= p->give_up_ms)
        end_it(p);
    else
        loop_timer_arm(p->timer, now_ms + POLL_MS);
}

static int spawn(char **argv, char **envp, pid_t *ret_pid)
{
    posix_spawnattr_t attr;
    sigset_t none, all;
    int r;

    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    if (posix_spawnattr_init(&attr) != 0)
        return -ENOMEM;
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setsigdefault(&attr, &all);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSID);
    r = posix_spawn(ret_pid, argv[0], NULL, &attr, argv, envp);
    (void)posix_spawnattr_destroy(&attr);
    return -r;
}

static int start(struct power_off *p, struct loop *l, const struct agent_config *config,
                 char **envp, struct err *e)
{
    const struct string_list *words = &config->power_off.command;
    AUTO(mem) char **argv = xcalloc(words->n + 1, sizeof(*argv));
    int r;

    for (size_t i = 0; i < words->n; i++)
        argv[i] = words->item[i];
    r = spawn(argv, envp, &p->pid);
    if (r < 0)
        return err_errno(e, r, "%s", argv[0]);
    /* It runs: what fails from here on is no reason to say that it does not. */
    p->give_up_ms = loop_now_ms(l) + POWER_OFF_LIMIT_MS;
    p->timer = loop_timer_add(l, on_time, p);
    p->fd = pidfd_open(p->pid, 0);
    r = p->fd < 0 ? -errno : loop_io_add(l, p->fd, LOOP_READ, ended, p, &p->io);
    loop_timer_arm(p->timer, r == 0 ? p->give_up_ms : loop_now_ms(l) + POLL_MS);
    return 0;
}

int power_off_start(struct loop *l, const struct agent_config *config, const char *op,
                    int64_t wake_by_wall_ms, power_off_fn *fn, void *data, struct power_off **ret_p,
                    struct err *e)
{
    struct power_off *p = xcalloc(1, sizeof(*p));
    char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", op_text[128], wake[64];
    char *envp[] = { path, op_text, NULL, NULL };

    p->fd = -1;
    p->fn = fn;
    p->data = data;
    *ret_p = p;
    (void)snprintf(op_text, sizeof(op_text), "HUDDLE_OP=%s", op);
    (void)snprintf(wake, sizeof(wake), "HUDDLE_WAKE_BY=%lld", (long long)(wake_by_wall_ms / 1000));
    if (wake_by_wall_ms > 0)
        envp[2] = wake;
    return start(p, l, config, envp, e);
}
