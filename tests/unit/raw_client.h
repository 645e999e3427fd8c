/* A client that sends what it is told, byte for byte, for the tests of servers. */
#ifndef HUDDLE_TESTS_RAW_CLIENT_H
#define HUDDLE_TESTS_RAW_CLIENT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/strbuf.h"

#define RAW_PATIENCE_MS 20000 /* on a loaded machine; never waited for when all is well */

static inline int raw_connect(uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline void raw_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `until` was seen (NULL: until the server closes). 1, or 0: it closed before. */
static inline int raw_read(int fd, const char *until, struct strbuf *all)
{
    char bytes[4096];

    for (;;) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t n;

        if (until && strstr(strbuf_text(all), until))
            return 1;
        assert_int_equal(poll(&p, 1, RAW_PATIENCE_MS), 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0)
            return !until;
        strbuf_add(all, bytes, (size_t)n);
    }
}

/* Sends a whole request on a connection of its own; the answer up to its end. */
static inline void raw_ask(uint16_t port, const char *request, struct strbuf *answer)
{
    int fd = raw_connect(port);

    strbuf_clear(answer);
    raw_send(fd, request);
    (void)raw_read(fd, NULL, answer);
    (void)close(fd);
}

static inline int raw_status(const struct strbuf *answer)
{
    int status = 0;

    (void)sscanf(strbuf_text(answer), "HTTP/1.1 %d", &status);
    return status;
}

static inline const char *raw_body(const struct strbuf *answer)
{
    const char *end = strstr(strbuf_text(answer), "\r\n\r\n");

    return end ? end + 4 : "";
}

#endif
