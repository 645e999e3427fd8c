/* Talking to HAProxy's Runtime API: see haproxy_call.h. */
#include "controller/substrate/haproxy_call.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define READ_BYTES 65536
#define READS_A_TURN 16 /* then other sources of the loop get their turn */
#define LINE_BYTES 256u

struct haproxy_call {
    struct loop *loop;
    struct loop_io *io;
    struct loop_timer *timer; /* NULL: follows for ever */
    int fd;
    char *line; /* what is to be sent */
    size_t n_line, sent;
    struct strbuf in;
    haproxy_call_fn *fn;
    haproxy_line_fn *line_fn;
    haproxy_ended_fn *ended;
    void *data;
    size_t cut;     /* bytes of an overlong line that were dropped */
    bool handing;   /* lines are being handed over */
    bool cancelled; /* by one of them: freed when that callback has returned */
};

void haproxy_call_cancel(struct haproxy_call *c)
{
    if (!c)
        return;
    if (c->handing) {
        c->cancelled = true;
        return;
    }
    loop_timer_remove(c->timer);
    loop_io_remove(c->io);
    if (c->fd >= 0)
        (void)close(c->fd);
    strbuf_done(&c->in);
    free(c->line);
    free(c);
}

static void finish(struct haproxy_call *c, int result, const char *what)
{
    struct haproxy_answer answer = { .result = result };
    haproxy_call_fn *fn = c->fn;
    haproxy_ended_fn *ended = c->ended;
    void *data = c->data;

    if (fn && result == 0) {
        answer.n = c->in.length;
        answer.text = strbuf_take(&c->in);
    } else if (fn) {
        (void)err_errno(&answer.error, result, "%s", what);
    }
    haproxy_call_cancel(c);
    if (fn)
        fn(data, &answer);
    else
        ended(data);
    free(answer.text);
}

static void on_timeout(void *data, int64_t now_ms)
{
    (void)now_ms;
    finish(data, -ETIMEDOUT, "no answer");
}

/* Hands whole lines over. False: the call was cancelled by one of them. */
static bool hand_over(struct haproxy_call *c)
{
    size_t done = 0;
    char *stop;

    c->handing = true;
    while ((stop = memchr(c->in.data + done, '\n', c->in.length - done))) {
        char *line = c->in.data + done;

        *stop = '\0';
        done = (size_t)(stop - c->in.data) + 1;
        if (c->cut == 0)
            c->line_fn(c->data, line);
        if (c->cancelled)
            break;
        c->cut = 0;
    }
    c->handing = false;
    if (c->cancelled) {
        haproxy_call_cancel(c);
        return false;
    }
    c->in.length -= done;
    memmove(c->in.data, c->in.data + done, c->in.length);
    if (c->in.length > LINE_BYTES) {
        c->cut += c->in.length;
        c->in.length = 0;
    }
    return true;
}

/* 1: more may come, 0: closed, -errno; -ECANCELED: the call is gone. */
static int read_some(struct haproxy_call *c)
{
    char part[READ_BYTES];

    for (int i = 0; i < READS_A_TURN; i++) {
        ssize_t n = recv(c->fd, part, sizeof(part), MSG_DONTWAIT);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 1 : -errno;
        if (n == 0)
            return 0;
        if (c->in.length + (size_t)n > HAPROXY_ANSWER_MAX)
            return -EMSGSIZE;
        strbuf_add(&c->in, part, (size_t)n);
        if (c->line_fn && !hand_over(c))
            return -ECANCELED;
    }
    return 1;
}

static int send_rest(struct haproxy_call *c)
{
    while (c->sent < c->n_line) {
        ssize_t n =
            send(c->fd, c->line + c->sent, c->n_line - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            c->sent += (size_t)n;
    }
    return loop_io_change(c->io, LOOP_READ);
}

static void on_io(void *data, int fd, unsigned events)
{
    struct haproxy_call *c = data;
    int r = 1;

    (void)fd;
    if (events & LOOP_WRITE) {
        r = send_rest(c);
        r = r < 0 ? r : 1;
    }
    if (r > 0 && (events & (LOOP_READ | LOOP_HANGUP)))
        r = read_some(c);
    if (r <= 0 && r != -ECANCELED)
        finish(c, r, "Runtime API");
}

static int open_socket(const char *path, struct err *e)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO(fd) int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return err_errno(e, -ENAMETOOLONG, "%s", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(e, -errno, "socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return err_errno(e, -errno, "%s", path); /* -EAGAIN: its queue is full */
    return take_fd(&fd);
}

static struct haproxy_call *call_new(struct loop *l, const char *line, int fd)
{
    struct haproxy_call *c = xcalloc(1, sizeof(*c));

    c->loop = l;
    c->fd = fd;
    c->n_line = strlen(line) + 1;
    c->line = xmalloc(c->n_line);
    memcpy(c->line, line, c->n_line - 1);
    c->line[c->n_line - 1] = '\n';
    return c;
}

static int begin(struct loop *l, const char *socket, const char *line,
                 struct haproxy_call **ret_call, struct err *e)
{
    struct haproxy_call *c;
    int fd, r;

    if (strlen(line) > HAPROXY_LINE_MAX)
        return err_set(e, -E2BIG, "a line of more than %u bytes", HAPROXY_LINE_MAX);
    fd = open_socket(socket, e);
    if (fd < 0)
        return fd;
    c = call_new(l, line, fd);
    r = loop_io_add(l, fd, LOOP_READ | LOOP_WRITE, on_io, c, &c->io);
    if (r < 0) {
        haproxy_call_cancel(c);
        return err_errno(e, r, "%s", socket);
    }
    *ret_call = c;
    return 0;
}

int haproxy_call(struct loop *l, const char *socket, const char *line, int64_t timeout_ms,
                 haproxy_call_fn *fn, void *data, struct haproxy_call **ret_call, struct err *e)
{
    struct haproxy_call *c;
    int r = begin(l, socket, line, &c, e);

    if (r < 0)
        return r;
    c->fn = fn;
    c->data = data;
    c->timer = loop_timer_add(l, on_timeout, c);
    loop_timer_arm(c->timer, loop_now_ms(l) + timeout_ms);
    *ret_call = c;
    return 0;
}

int haproxy_follow(struct loop *l, const char *socket, const char *line, haproxy_line_fn *fn,
                   haproxy_ended_fn *ended, void *data, struct haproxy_call **ret_call,
                   struct err *e)
{
    struct haproxy_call *c;
    int r = begin(l, socket, line, &c, e);

    if (r < 0)
        return r;
    c->line_fn = fn;
    c->ended = ended;
    c->data = data;
    *ret_call = c;
    return 0;
}
