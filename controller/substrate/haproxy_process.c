/* Starting HAProxy and seeing it end: see haproxy_process.h. `haproxy -D` checks its configuration,
 * binds its sockets, forks the daemon and ends: its exit status says whether the daemon serves. Its
 * words go to a memory file, so that nobody waits for a pipe that the daemon may have kept. */
#include "controller/substrate/haproxy_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"

#define START_MS 20000
#define LOOK_MS 100
#define SAID_MAX 240
#define ARGUMENTS_MAX 16
#define PROC_FILE_MAX 65536
#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct haproxy_watch {
    struct loop_io *io;
    int fd; /* a pidfd: readable when the process has ended */
    haproxy_ended_process_fn *fn;
    void *data;
};

struct haproxy_launch {
    struct haproxy_watch *watch;
    struct loop_timer *timer;
    int64_t deadline_ms;
    pid_t pid;
    int words_fd;
    haproxy_started_fn *fn;
    void *data;
};

/* --- watching -----------------------------------------------------------------------------------
 */

void haproxy_watch_free(struct haproxy_watch *w)
{
    if (!w)
        return;
    loop_io_remove(w->io);
    (void)close(w->fd);
    free(w);
}

static void on_end(void *data, int fd, unsigned events)
{
    struct haproxy_watch *w = data;

    (void)fd;
    (void)events;
    (void)loop_io_change(w->io, 0); /* it stays readable: told once */
    w->fn(w->data);
}

struct haproxy_watch *haproxy_watch(struct loop *l, pid_t pid, haproxy_ended_process_fn *fn,
                                    void *data)
{
    struct haproxy_watch *w;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */

    if (fd < 0)
        return NULL;
    w = xcalloc(1, sizeof(*w));
    *w = (struct haproxy_watch){ .fd = fd, .fn = fn, .data = data };
    if (loop_io_add(l, fd, LOOP_READ, on_end, w, &w->io) < 0) {
        haproxy_watch_free(w);
        return NULL;
    }
    return w;
}

/* --- starting -----------------------------------------------------------------------------------
 */

void haproxy_launch_free(struct haproxy_launch *x)
{
    if (!x)
        return;
    haproxy_watch_free(x->watch);
    loop_timer_remove(x->timer);
    if (x->words_fd >= 0)
        (void)close(x->words_fd);
    free(x);
}

/* The last line that is not empty, without HAProxy's "[ALERT]    (123) : ". */
static void last_words(int fd, char said[SAID_MAX])
{
    char text[4096];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof(text) - 1 ? size - (off_t)sizeof(text) + 1 : 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, from);
    char *end, *line, *body;

    said[0] = '\0';
    if (n <= 0)
        return;
    text[n] = '\0';
    for (end = text + n; end > text && (end[-1] == '\n' || end[-1] == ' '); end--)
        end[-1] = '\0';
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    body = line[0] == '[' ? strstr(line, ") : ") : NULL;
    (void)snprintf(said, SAID_MAX, "%.*s", SAID_MAX - 1, body ? body + 4 : line);
}

/* How it ended, for one that said nothing itself. */
static void how_it_ended(int status, char said[SAID_MAX])
{
    if (WIFSIGNALED(status))
        (void)snprintf(said, SAID_MAX, "killed by signal %d", WTERMSIG(status));
    else
        (void)snprintf(said, SAID_MAX, "exit code %d", WEXITSTATUS(status));
}

static void launch_done(struct haproxy_launch *x, int result, int status)
{
    haproxy_started_fn *fn = x->fn;
    void *data = x->data;
    char said[SAID_MAX];

    last_words(x->words_fd, said);
    if (result == -ECHILD && !said[0])
        how_it_ended(status, said);
    haproxy_launch_free(x);
    fn(data, result, said);
}

/* True when it was told. Somebody else may have reaped our child: then a look will show it. */
static bool launch_ended(struct haproxy_launch *x)
{
    int status = 0;
    pid_t r = waitpid(x->pid, &status, WNOHANG);

    if (r == 0 || (r < 0 && errno != ECHILD))
        return false;
    launch_done(x, r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0) ? 0 : -ECHILD, status);
    return true;
}

static void on_launched(void *data)
{
    (void)launch_ended(data);
}

/* Without a pidfd, and against a start that hangs. */
static void on_look(void *data, int64_t now_ms)
{
    struct haproxy_launch *x = data;

    if (launch_ended(x))
        return;
    if (now_ms < x->deadline_ms) {
        loop_timer_arm(x->timer, now_ms + LOOK_MS);
        return;
    }
    (void)kill(x->pid, SIGKILL); /* our own child, not the daemon, and not reaped yet */
    (void)waitpid(x->pid, NULL, 0);
    launch_done(x, -ETIMEDOUT, 0);
}

static int actions_for(posix_spawn_file_actions_t *actions, int words_fd)
{
    int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, words_fd, 1);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(actions, words_fd, 2);
    if (r == 0)
        r = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (r == 0) /* it shall hold no folder that somebody wants to unmount */
        r = posix_spawn_file_actions_addchdir_np(actions, "/");
    return -r;
}

static int attributes_for(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    int r;

    (void)sigemptyset(&none);
    (void)sigfillset(&all); /* a loop blocks and ignores signals that HAProxy wants */
    r = posix_spawnattr_setsigmask(attributes, &none);
    if (r == 0)
        r = posix_spawnattr_setsigdefault(attributes, &all);
    if (r == 0)
        r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                     POSIX_SPAWN_SETSID);
    return -r;
}

static int spawn(char *const *arguments, int words_fd, pid_t *ret_pid)
{
    static char path[] = "PATH=" SYSTEM_PATH;
    char *const environment[] = { path, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int r;

    if ((r = -posix_spawn_file_actions_init(&actions)) < 0)
        return r;
    if ((r = -posix_spawnattr_init(&attributes)) < 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return r;
    }
    r = actions_for(&actions, words_fd);
    if (r == 0)
        r = attributes_for(&attributes);
    if (r == 0)
        r = -posix_spawn(ret_pid, arguments[0], &actions, &attributes, arguments, environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return r;
}

static int spawn_haproxy(const struct haproxy_start *s, int words_fd, pid_t *ret_pid)
{
    const char *words[ARGUMENTS_MAX] = { s->program, "-D", "-f", s->config, "-p", s->pid_file };
    char *arguments[ARGUMENTS_MAX + 1] = { NULL };
    char replaces[16];
    size_t n = 6;
    int r;

    if (s->takeover) {
        words[n++] = "-x";
        words[n++] = s->takeover;
    }
    if (s->replaces > 0) { /* the last option: a list of pids follows it */
        (void)snprintf(replaces, sizeof(replaces), "%d", (int)s->replaces);
        words[n++] = "-sf";
        words[n++] = replaces;
    }
    for (size_t i = 0; i < n; i++)
        arguments[i] = xstrdup(words[i]);
    r = spawn(arguments, words_fd, ret_pid);
    for (size_t i = 0; i < n; i++)
        free(arguments[i]);
    return r;
}

int haproxy_launch(struct loop *l, const struct haproxy_start *start, haproxy_started_fn *fn,
                   void *data, struct haproxy_launch **ret_launch, struct err *e)
{
    struct haproxy_launch *x = xcalloc(1, sizeof(*x));
    int r;

    *x =
        (struct haproxy_launch){ .deadline_ms = loop_now_ms(l) + START_MS, .fn = fn, .data = data };
    x->words_fd = memfd_create("haproxy-words", MFD_CLOEXEC);
    r = x->words_fd < 0 ? -errno : spawn_haproxy(start, x->words_fd, &x->pid);
    if (r < 0) {
        haproxy_launch_free(x);
        return err_errno(e, r, "%s", start->program);
    }
    x->timer = loop_timer_add(l, on_look, x);
    loop_timer_arm(x->timer, loop_now_ms(l) + LOOK_MS);
    x->watch = haproxy_watch(l, x->pid, on_launched, x);
    *ret_launch = x;
    return 0;
}

/* --- looking around -----------------------------------------------------------------------------
 */

bool haproxy_runs(pid_t pid, const char *config)
{
    AUTO(mem) char *words = NULL;
    char path[64];
    size_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    if (pid <= 0 || file_read(path, PROC_FILE_MAX, &words, &n, NULL) < 0)
        return false; /* gone, or a zombie: it has no words */
    for (const char *w = words; w < words + n; w += strlen(w) + 1)
        if (strcmp(w, config) == 0)
            return true;
    return false;
}

pid_t haproxy_read_pid(const char *pid_file)
{
    AUTO(mem) char *text = NULL;
    size_t n;
    long pid;

    if (file_read(pid_file, PROC_FILE_MAX, &text, &n, NULL) < 0)
        return 0;
    pid = strtol(text, NULL, 10);
    return pid > 1 && pid <= INT32_MAX ? (pid_t)pid : 0;
}

char *haproxy_find_program(const char *name)
{
    const char *path = getenv("PATH");
    AUTO(strbuf) struct strbuf folders = STRBUF_INIT;
    char *folder, *rest;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
    strbuf_printf(&folders, "%s:" SYSTEM_PATH, path ? path : "");
    for (folder = strtok_r(folders.data, ":", &rest); folder; folder = strtok_r(NULL, ":", &rest)) {
        struct strbuf file = STRBUF_INIT;

        strbuf_printf(&file, "%s/%s", folder, name);
        if (folder[0] == '/' && access(strbuf_text(&file), X_OK) == 0)
            return strbuf_take(&file);
        strbuf_done(&file);
    }
    return NULL;
}
