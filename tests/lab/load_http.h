/* HTTP/1.1 connections of the load generator: non-blocking, kept alive, one request at a time. */
#ifndef LAB_LOAD_HTTP_H
#define LAB_LOAD_HTTP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#define HTTP_ANSWER_MAX 8192u

struct http_connection {
    int fd;
    bool busy;       /* a request is under way */
    bool fresh;      /* nothing was answered on it yet */
    const char *out; /* what is left to send; borrowed */
    size_t n_out;
    char in[HTTP_ANSWER_MAX];
    size_t n_in;
};

enum http_progress {
    HTTP_MORE,   /* under way */
    HTTP_DONE,   /* an answer is whole: http_answer() */
    HTTP_BROKEN, /* refused, reset, closed early, or not HTTP */
};

/* Starts connecting. Returns 0 or -errno. */
int http_connect(struct http_connection *c, const struct sockaddr_in *to);
void http_close(struct http_connection *c);

/* Begins a request of `n` bytes, kept by the caller until it is done. */
void http_begin(struct http_connection *c, const char *request, size_t n);

/* Carries on as far as it goes without waiting. */
enum http_progress http_continue(struct http_connection *c);

struct http_answer {
    int status;
    bool keep_alive;
    const char *body; /* within the connection's buffer */
    size_t n_body;
};
/* After HTTP_DONE. */
struct http_answer http_answer(const struct http_connection *c);

#endif
