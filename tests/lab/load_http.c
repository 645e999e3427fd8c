/* Sending and reading: see load_http.h. Answers carry a Content-Length, as huddle's do. */
#include "tests/lab/load_http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/tcp.h>

int http_connect(struct http_connection *c, const struct sockaddr_in *to)
{
    int on = 1, r;

    *c = (struct http_connection){ .fresh = true };
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return -errno;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) == 0 || errno == EINPROGRESS)
        return 0;
    r = -errno;
    http_close(c);
    return r;
}

void http_close(struct http_connection *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
}

void http_begin(struct http_connection *c, const char *request, size_t n)
{
    c->busy = true;
    c->out = request;
    c->n_out = n;
    c->n_in = 0;
}

static const char *header_end(const struct http_connection *c)
{
    const char *end = memmem(c->in, c->n_in, "\r\n\r\n", 4);

    return end ? end + 4 : NULL;
}

/* The value of header `name` up to its line's end, or NULL. */
static const char *header_value(const struct http_connection *c, const char *name)
{
    const char *end = header_end(c), *line = c->in;
    size_t n = strlen(name);

    while (end && (line = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL) {
        line += 2;
        if ((size_t)(end - line) > n + 1 && strncasecmp(line, name, n) == 0 && line[n] == ':') {
            line += n + 1;
            return line + strspn(line, " ");
        }
    }
    return NULL;
}

static enum http_progress answer_progress(const struct http_connection *c)
{
    const char *end = header_end(c), *length;

    if (!end)
        return c->n_in < sizeof(c->in) - 1 ? HTTP_MORE : HTTP_BROKEN;
    length = header_value(c, "content-length");
    if (!length || strncmp(c->in, "HTTP/1.1 ", 9) != 0)
        return HTTP_BROKEN;
    if ((size_t)(c->in + c->n_in - end) >= strtoul(length, NULL, 10))
        return HTTP_DONE;
    return c->n_in < sizeof(c->in) - 1 ? HTTP_MORE : HTTP_BROKEN;
}

enum http_progress http_continue(struct http_connection *c)
{
    while (c->n_out > 0) {
        ssize_t n = send(c->fd, c->out, c->n_out, MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? HTTP_MORE : HTTP_BROKEN;
        c->out += n;
        c->n_out -= (size_t)n;
    }
    for (;;) {
        ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - 1 - c->n_in, 0);
        enum http_progress progress;

        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? HTTP_MORE : HTTP_BROKEN;
        if (n == 0 || !c->busy)
            return HTTP_BROKEN;
        c->n_in += (size_t)n;
        c->in[c->n_in] = '\0';
        progress = answer_progress(c);
        if (progress != HTTP_MORE)
            return progress;
    }
}

struct http_answer http_answer(const struct http_connection *c)
{
    const char *connection = header_value(c, "connection"), *end = header_end(c);

    return (struct http_answer){
        .status = atoi(c->in + 9),
        .keep_alive = !connection || strncasecmp(connection, "close", 5) != 0,
        .body = end,
        .n_body = (size_t)(c->in + c->n_in - end),
    };
}
