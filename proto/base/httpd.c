/* HTTP server: see httpd.h. Here: the server, its connections and their deadlines. A reaper thread
 * cuts what takes too long; it also sees clients of idle streams leave, which libmicrohttpd does
 * not look at while their connections are suspended. */
#include "proto/base/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd_private.h"
#include "proto/base/yaml.h"

#define REAP_NS 500000000L

/* --- connections -------------------------------------------------------------------------------
 */

void httpd_link_deadline(struct link *l, int64_t ms)
{
    if (l)
        atomic_store(&l->deadline_ms, ms ? clock_boot_ms() + ms : 0);
}

/* A peer that lost its power or its link is noticed in about two minutes. */
static void watch_peer(int fd)
{
    const struct {
        int level, name, value;
    } options[] = {
        { SOL_SOCKET, SO_KEEPALIVE, 1 },           { IPPROTO_TCP, TCP_KEEPIDLE, 60 },
        { IPPROTO_TCP, TCP_KEEPINTVL, 15 },        { IPPROTO_TCP, TCP_KEEPCNT, 4 },
        { IPPROTO_TCP, TCP_USER_TIMEOUT, 120000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static struct link *link_new(struct httpd *h, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct link *l = xcalloc(1, sizeof(*l));

    l->fd = info ? info->connect_fd : -1;
    watch_peer(l->fd);
    httpd_link_deadline(l, h->options.header_ms);
    (void)pthread_mutex_lock(&h->lock);
    l->next = h->links;
    l->back = &h->links;
    if (l->next)
        l->next->back = &l->next;
    h->links = l;
    l->identity = identity_ref(h->identity);
    (void)pthread_mutex_unlock(&h->lock);
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (l->identity && info)
        identity_show(l->identity, info->tls_session);
    return l;
}

static void link_free(struct httpd *h, struct link *l)
{
    (void)pthread_mutex_lock(&h->lock);
    *l->back = l->next;
    if (l->next)
        l->next->back = l->back;
    (void)pthread_mutex_unlock(&h->lock);
    identity_free(l->identity);
    free(l);
}

/* libmicrohttpd closes the descriptor after it told us: while a link is listed, its fd is its own.
 */
static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = link_new(data, connection);
    } else if (*context) {
        link_free(data, *context);
        *context = NULL;
    }
}

static bool hung_up(int fd)
{
    struct pollfd p = { fd, POLLRDHUP, 0 };

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void look_at(struct link *l, int64_t now_ms)
{
    int64_t deadline_ms = atomic_load(&l->deadline_ms);

    if (deadline_ms && now_ms > deadline_ms) {
        (void)shutdown(l->fd, SHUT_RDWR); /* the pool's thread sees the end and cleans up */
        atomic_store(&l->deadline_ms, 0);
    }
    if (l->stream && hung_up(l->fd))
        httpd_stream_gone(l->stream);
}

static void *reap(void *data)
{
    struct httpd *h = data;

    (void)pthread_mutex_lock(&h->lock);
    while (!h->reaped) {
        int64_t now_ms = clock_boot_ms();
        struct timespec until;

        for (struct link *l = h->links; l; l = l->next)
            look_at(l, now_ms);
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += REAP_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&h->wake, &h->lock, &until);
    }
    (void)pthread_mutex_unlock(&h->lock);
    return NULL;
}

bool httpd_busy(struct httpd *h)
{
    bool taken;

    (void)pthread_mutex_lock(&h->lock);
    taken = !h->stopping;
    h->busy += taken;
    (void)pthread_mutex_unlock(&h->lock);
    return taken;
}

void httpd_idle(struct httpd *h)
{
    (void)pthread_mutex_lock(&h->lock);
    h->busy--;
    if (!h->busy && h->stopping)
        (void)pthread_cond_broadcast(&h->wake);
    (void)pthread_mutex_unlock(&h->lock);
}

/* --- the server --------------------------------------------------------------------------------
 */

static void fill_in(struct httpd_options *o)
{
    o->threads = o->threads ? o->threads : 2;
    o->connections = o->connections ? o->connections : 4096;
    o->most_body = o->most_body ? o->most_body : 1u << 20;
    o->header_ms = o->header_ms ? o->header_ms : 5000;
    o->body_ms = o->body_ms ? o->body_ms : 10000;
    o->idle_ms = o->idle_ms ? o->idle_ms : 120000;
}

static int resolve(const struct httpd_options *o, struct sockaddr_storage *ret, struct err *e)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;

    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, o->address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(o->port);
        return 0;
    }
    if (inet_pton(AF_INET6, o->address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(o->port);
        return 0;
    }
    return err_set(e, -EINVAL, "\"%s\" is not an IPv4 or IPv6 address", o->address);
}

static int read_tls(const char *cert_file, const char *key_file, const char *client_ca_file,
                    struct tls_text *ret, struct identity **ret_identity, struct err *e)
{
    AUTO(mem) char *trust = NULL;
    size_t n;
    int r;

    if ((r = yaml_read_file(cert_file, &ret->cert, &n, e)) < 0 ||
        (r = yaml_read_file(key_file, &ret->key, &n, e)) < 0)
        return r;
    if (client_ca_file && (r = yaml_read_file(client_ca_file, &trust, &n, e)) < 0)
        return r;
    return identity_new(cert_file, ret->cert, key_file, ret->key, trust, ret_identity, e);
}

static void tls_text_done(struct tls_text *t)
{
    if (t->key)
        explicit_bzero(t->key, strlen(t->key));
    free(t->key);
    free(t->cert);
}

int httpd_certify(struct httpd *h, const char *cert_file, const char *key_file, struct err *e)
{
    struct tls_text text = { NULL, NULL };
    struct identity *fresh = NULL, *old;
    int r = read_tls(cert_file, key_file, h->options.client_ca_file, &text, &fresh, e);

    tls_text_done(&text);
    if (r < 0)
        return r;
    (void)pthread_mutex_lock(&h->lock);
    old = h->identity;
    h->identity = fresh;
    (void)pthread_mutex_unlock(&h->lock);
    identity_free(old);
    return 0;
}

/* Why nobody can listen there, -errno: libmicrohttpd 1.0 overwrites errno before it returns. */
static int why_not(const struct sockaddr_storage *address, int otherwise)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, r = otherwise;

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

/* MHD_OPTION_LISTENING_ADDRESS_REUSE is left alone: it would set SO_REUSEPORT, and a second server
 * would quietly share the port. */
static int start_daemon(struct httpd *h, struct err *e)
{
    const struct httpd_options *o = &h->options;
    struct sockaddr_storage address;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, h->tls.cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, h->tls.key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0,
          (void *)(uintptr_t) "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" },
        { MHD_OPTION_END, 0, NULL },
    };
    int r = resolve(o, &address, e);

    if (r < 0)
        return r;
    flags |= h->tls.cert ? MHD_USE_TLS : 0;
    flags |= address.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    errno = 0;
    h->daemon = MHD_start_daemon(
        flags, o->port, NULL, NULL, httpd_on_access, h, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, o->threads, MHD_OPTION_CONNECTION_LIMIT, o->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_ip, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((o->idle_ms + 999) / 1000), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED,
        httpd_on_completed, h, MHD_OPTION_ARRAY, h->tls.cert ? tls : tls + 3, MHD_OPTION_END);
    if (h->daemon)
        return 0;
    r = why_not(&address, errno ? -errno : -EIO);
    return err_set(e, r, "cannot listen on %s port %u: %s", o->address, o->port, strerror(-r));
}

/* The reaper waits on the monotonic clock: a step of the wall clock must not let it sleep. */
static void init(struct httpd *h)
{
    pthread_condattr_t monotonic;

    (void)pthread_mutex_init(&h->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&h->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

int httpd_new(const struct httpd_options *options, struct httpd **ret_httpd, struct err *e)
{
    AUTO(httpd) struct httpd *h = xcalloc(1, sizeof(*h));
    int r;

    h->options = *options;
    fill_in(&h->options);
    init(h);
    if (options->cert_file && (r = read_tls(options->cert_file, options->key_file,
                                            options->client_ca_file, &h->tls, &h->identity, e)) < 0)
        return r;
    if ((r = start_daemon(h, e)) < 0)
        return r;
    if (pthread_create(&h->reaper, NULL, reap, h) != 0)
        return err_set(e, -EAGAIN, "cannot start a thread");
    h->reaping = true;
    *ret_httpd = TAKE(h);
    return 0;
}

void httpd_free(struct httpd *h)
{
    if (!h)
        return;
    (void)pthread_mutex_lock(&h->lock);
    h->stopping = true;
    while (h->busy)
        (void)pthread_cond_wait(&h->wake, &h->lock);
    h->reaped = true;
    (void)pthread_cond_broadcast(&h->wake);
    (void)pthread_mutex_unlock(&h->lock);
    if (h->reaping)
        (void)pthread_join(h->reaper, NULL);
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    tls_text_done(&h->tls);
    identity_free(h->identity);
    (void)pthread_cond_destroy(&h->wake);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}

uint16_t httpd_port(const struct httpd *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : h->options.port;
}
