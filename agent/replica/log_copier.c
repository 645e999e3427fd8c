/* The log of a replica: see log_copier.h. All but the start runs in the copying process, forked
 * from an agent that may have threads: system calls only. */
#include "agent/replica/log_copier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/spawn.h"
#include "proto/base/cleanup.h"

#define CHUNK 16384u

struct copier {
    int folder, log; /* log: -1 while it cannot be opened */
    uint64_t size, most;
    uint64_t lost;    /* bytes that could not be written */
    char line[CHUNK]; /* the end of the log behind its last line feed; n_line > CHUNK: longer */
    size_t n_line;
};

static void open_log(struct copier *c)
{
    struct stat st;

    c->log = openat(c->folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    c->size = c->log >= 0 && fstat(c->log, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void put(struct copier *c, const char *bytes, size_t n);

/* Where the log cannot be moved it is cut: the bound holds in any case. A line that is under way
 * goes along, so that it stays whole. */
static void rotate(struct copier *c)
{
    size_t n_line = c->n_line <= CHUNK && c->n_line < c->size ? c->n_line : 0;
    bool moved;

    if (n_line)
        (void)!ftruncate(c->log, (off_t)(c->size - n_line));
    moved = renameat(c->folder, "log", c->folder, "log.1") == 0;
    if (!moved)
        (void)!ftruncate(c->log, 0);
    (void)close(c->log);
    open_log(c);
    if (!moved)
        c->size = 0;
    c->n_line = 0;
    if (n_line)
        put(c, c->line, n_line);
}

/* As much as fits, up to the end of a line if there is one. */
static size_t fitting(const struct copier *c, const char *bytes, size_t n)
{
    uint64_t room = c->size < c->most ? c->most - c->size : 0;
    const char *end;

    if (n <= room)
        return n;
    end = memrchr(bytes, '\n', (size_t)room);
    if (end)
        return (size_t)(end - bytes) + 1;
    return c->size ? 0 : (size_t)room;
}

static void tell_lost(struct copier *c)
{
    char text[80] = "[huddle: bytes of output lost, the log could not be written: ";
    size_t n = strlen(text), digits = 0;
    uint64_t lost = c->lost;
    char number[24];

    do
        number[digits++] = (char)('0' + lost % 10);
    while (lost /= 10);
    while (digits)
        text[n++] = number[--digits];
    text[n++] = ']';
    text[n++] = '\n';
    if (write(c->log, text, n) == (ssize_t)n) {
        c->size += n;
        c->lost = 0;
        c->n_line = 0;
    }
}

static void follow_line(struct copier *c, const char *bytes, size_t n)
{
    const char *end = memrchr(bytes, '\n', n);

    if (end) {
        n -= (size_t)(end + 1 - bytes);
        bytes = end + 1;
        c->n_line = 0;
    }
    if (c->n_line + n <= CHUNK)
        memmove(c->line + c->n_line, bytes, n); /* rotate() gives what is there */
    c->n_line += n;
}

static void put(struct copier *c, const char *bytes, size_t n)
{
    ssize_t written;

    if (c->log >= 0 && c->lost)
        tell_lost(c);
    written = c->log >= 0 ? write(c->log, bytes, n) : 0;
    if (written > 0) {
        c->size += (uint64_t)written;
        follow_line(c, bytes, (size_t)written);
    }
    c->lost += n - (written > 0 ? (size_t)written : 0);
}

/* What an earlier run has said last was not said by this one. */
static void begin_run(struct copier *c)
{
    open_log(c);
    if (c->log >= 0 && c->size > 0)
        put(c, "\n" LOG_RUN, strlen("\n" LOG_RUN));
}

static void copy(struct copier *c, int pipe_fd)
{
    char chunk[CHUNK];

    for (;;) {
        ssize_t n = read(pipe_fd, chunk, sizeof(chunk));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        for (size_t done = 0; done < (size_t)n;) {
            size_t part = fitting(c, chunk + done, (size_t)n - done);

            if (part)
                put(c, chunk + done, part);
            done += part;
            if (c->log < 0)
                open_log(c);
            else if (done < (size_t)n)
                rotate(c);
        }
    }
}

static _Noreturn void copier_main(int folder, int pipe_fd, uint64_t bytes)
{
    static const int IGNORED[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ };
    struct copier c = { .folder = 1, .most = bytes / 2 };
    int null = open("/dev/null", O_RDWR);

    (void)setsid();
    (void)prctl(PR_SET_NAME, "huddle-log");
    for (size_t i = 0; i < sizeof(IGNORED) / sizeof(IGNORED[0]); i++)
        (void)signal(IGNORED[i], SIG_IGN);
    /* Only what is needed stays open, at numbers that are known. */
    if (null < 0 || dup2(pipe_fd, 0) < 0 || dup2(folder, 1) < 0 || dup2(null, 2) < 0)
        _exit(1);
    spawn_close_from(3);
    spawn_drop_capabilities();
    (void)!chdir("/");
    begin_run(&c);
    copy(&c, 0);
    _exit(0);
}

int log_copier_start(const char *folder, uint64_t bytes, pid_t *ret_pid, int *ret_fd, struct err *e)
{
    AUTO(fd) int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(fd) int in = -1;
    AUTO(fd) int out = -1;
    int fds[2];
    pid_t pid;

    if (folder_fd < 0)
        return err_errno(e, -errno, "%s", folder);
    /* For log_copier_done(). The lock is of the open file, which the child shares. */
    if (flock(folder_fd, LOCK_SH | LOCK_NB) < 0)
        return err_errno(e, -errno, "%s: lock", folder);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(e, -errno, "pipe");
    in = fds[0];
    out = fds[1];
    pid = spawn_fork();
    if (pid < 0)
        return err_errno(e, -errno, "fork");
    if (pid == 0)
        copier_main(folder_fd, in, bytes < LOG_BYTES_LEAST ? LOG_BYTES_LEAST : bytes);
    *ret_pid = pid;
    *ret_fd = take_fd(&out);
    return 0;
}

bool log_copier_done(const char *folder)
{
    AUTO(fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}
