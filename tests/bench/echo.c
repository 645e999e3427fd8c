/* See echo.h. Nothing but what libmicrohttpd asks for: a buffer per request, and the answer. */
#include "tests/bench/echo.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 65536

struct body {
    size_t n;
    char bytes[BODY_MAX];
};

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *n, void **context)
{
    struct body *b = *context;
    struct MHD_Response *response;
    enum MHD_Result r;

    (void)data, (void)url, (void)method, (void)version;
    if (!b) {
        b = malloc(sizeof(*b));
        if (!b)
            return MHD_NO;
        b->n = 0;
        *context = b;
        return MHD_YES;
    }
    if (*n) {
        if (*n > BODY_MAX - b->n)
            return MHD_NO;
        memcpy(b->bytes + b->n, bytes, *n);
        b->n += *n;
        *n = 0;
        return MHD_YES;
    }
    response = MHD_create_response_from_buffer(b->n, b->bytes, MHD_RESPMEM_MUST_COPY);
    r = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return r;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode why)
{
    (void)data, (void)connection, (void)why;
    free(*context);
    *context = NULL;
}

struct echo *echo_start(unsigned threads, uint16_t *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct MHD_Daemon *d =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, NULL,
                         MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE,
                         threads, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);

    if (!d)
        return NULL;
    *ret_port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
    return (struct echo *)d;
}

void echo_stop(struct echo *e)
{
    MHD_stop_daemon((struct MHD_Daemon *)e);
}
