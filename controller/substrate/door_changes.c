/* From what is to what is wanted: see door_changes.h. The order matters: a slot's servers and its
 * probe come before the route that leads to it. */
#include "controller/substrate/door_changes.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "controller/substrate/haproxy_call.h"

/* A dead replica is found out within about a second and a half; one that refuses connections by the
 * requests themselves: two, and the next check decides, a fifth of a second later. */
#define CHECK                                                                      \
    "check inter 1s fastinter 200ms downinter 500ms fall 3 rise 1 observe layer4 " \
    "error-limit 2 on-error sudden-death"

struct script {
    struct strbuf *out;
    size_t line; /* where the line begins */
};

/* Adds one command. One that would be several, or does not fit on a line, is left out: names that
 * somebody else put into HAProxy could be anything. */
__attribute__((format(printf, 2, 3))) static void command(struct script *s, const char *format, ...)
{
    size_t before = s->out->length, start = before > s->line ? before + 1 : before;
    va_list ap;

    if (before > s->line)
        strbuf_putc(s->out, ';');
    va_start(ap, format);
    strbuf_vprintf(s->out, format, ap);
    va_end(ap);
    if (s->out->length - start > HAPROXY_LINE_MAX || strpbrk(s->out->data + start, ";\\\n")) {
        s->out->length = before;
        s->out->data[before] = '\0';
    } else if (s->out->length - s->line > HAPROXY_LINE_MAX) {
        s->out->data[before] = '\n';
        s->line = start;
    }
}

/* --- servers ------------------------------------------------------------------------------------
 */

static bool same_address(const struct door_address *a, const struct haproxy_server *s)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    char ip[INET6_ADDRSTRLEN];
    int family = strchr(s->ip, ':') ? AF_INET6 : AF_INET;

    return inet_pton(family, s->ip, bytes) == 1 && inet_ntop(family, bytes, ip, sizeof(ip)) &&
           strcmp(ip, a->ip) == 0 && s->port == a->port;
}

static void add_server(struct script *s, const char *slot, const struct door_wanted_server *w,
                       uint32_t limit)
{
    command(s, "add server %s/%s %s%s%s:%u " CHECK " weight %" PRIu32 " maxconn %" PRIu32, slot,
            w->uid, w->address.v6 ? "[" : "", w->address.ip, w->address.v6 ? "]" : "",
            w->address.port, w->weight, limit);
    command(s, "set server %s/%s state %s", slot, w->uid, w->drain ? "drain" : "ready");
    command(s, "enable health %s/%s", slot, w->uid);
}

static void change_server(struct script *s, const struct door_wanted_server *w, uint32_t limit,
                          const struct haproxy_server *is)
{
    bool maint = (is->admin & HAPROXY_MAINT) != 0, drain = (is->admin & HAPROXY_DRAIN) != 0;

    if (!same_address(&w->address, is))
        command(s, "set server %s/%s addr %s port %u", is->slot, is->name, w->address.ip,
                w->address.port);
    if (is->weight != w->weight)
        command(s, "set server %s/%s weight %" PRIu32, is->slot, is->name, w->weight);
    if (is->counted && is->limit != limit)
        command(s, "set maxconn server %s/%s %" PRIu32, is->slot, is->name, limit);
    if (w->drain && (maint || !drain))
        command(s, "set server %s/%s state drain", is->slot, is->name);
    if (!w->drain && (maint || drain))
        command(s, "set server %s/%s state ready", is->slot, is->name);
    if (!is->checked)
        command(s, "enable health %s/%s", is->slot, is->name);
}

static void want_servers(struct script *s, const struct door_wanted *m,
                         const struct haproxy_view *v)
{
    for (size_t i = 0; i < m->n_servers; i++) {
        const struct haproxy_server *is = haproxy_view_server(v, m->slot, m->servers[i].uid);

        if (is)
            change_server(s, &m->servers[i], m->limit, is);
        else
            add_server(s, m->slot, &m->servers[i], m->limit);
    }
}

static void remove_server(struct script *s, const struct haproxy_server *is)
{
    if (!(is->admin & HAPROXY_MAINT))
        command(s, "set server %s/%s state maint", is->slot, is->name);
    if (is->counted && is->current == 0 && is->queued == 0) /* else at a later look */
        command(s, "del server %s/%s", is->slot, is->name);
}

static bool is_routed(const struct haproxy_view *v, const char *slot)
{
    for (size_t i = 0; i < v->n_routes; i++)
        if (strcmp(v->routes[i].value, slot) == 0)
            return true;
    return false;
}

/* A slot without a holder. Requests that wait in it would wait for ever without its servers. */
static bool may_empty(const struct door_wants *w, const struct haproxy_view *v, const char *slot)
{
    const struct haproxy_slot *counters = haproxy_view_slot(v, slot);

    return w->settled && counters && counters->current == 0 && !is_routed(v, slot);
}

/* `n` servers of one slot. */
static void clear_slot(struct script *s, const struct door_wants *w, const struct haproxy_view *v,
                       const struct haproxy_server *servers, size_t n)
{
    const struct door_wanted *m = door_wants_holder(w, servers[0].slot);

    if (m ? !m->named : !may_empty(w, v, servers[0].slot))
        return;
    for (size_t i = 0; i < n; i++)
        if (!m || !door_wanted_server(m, servers[i].name))
            remove_server(s, &servers[i]);
}

static void clear_slots(struct script *s, const struct door_wants *w, const struct haproxy_view *v)
{
    size_t n;

    for (size_t i = 0; i < v->n_servers; i += n) {
        (void)haproxy_view_servers(v, v->servers[i].slot, &n);
        clear_slot(s, w, v, &v->servers[i], n);
    }
}

/* --- maps ---------------------------------------------------------------------------------------
 */

static void set_pair(struct script *s, const char *map, const char *key, const char *is,
                     const char *wanted)
{
    if (!is)
        command(s, "add map %s %s %s", map, key, wanted);
    else if (strcmp(is, wanted) != 0)
        command(s, "set map %s %s %s", map, key, wanted);
}

static void set_probes(struct script *s, const struct door_wants *w, const struct haproxy_view *v,
                       const char *map)
{
    for (size_t i = 0; i < w->n_items; i++) {
        const struct door_wanted *m = w->items[i];

        if (m->named && m->slot[0] && m->probe_path)
            set_pair(s, map, m->slot, haproxy_pair_value(v->probes, v->n_probes, m->slot),
                     m->probe_path);
    }
    for (size_t i = 0; i < v->n_probes; i++) {
        size_t n;

        (void)haproxy_view_servers(v, v->probes[i].key, &n);
        if (w->settled && n == 0 && !door_wants_holder(w, v->probes[i].key))
            command(s, "del map %s %s", map, v->probes[i].key);
    }
}

static void set_routes(struct script *s, const struct door_wants *w, const struct haproxy_view *v,
                       const char *map)
{
    for (size_t i = 0; i < w->n_items; i++) {
        const struct door_wanted *m = w->items[i];

        if (m->named && m->slot[0])
            set_pair(s, map, m->model, haproxy_pair_value(v->routes, v->n_routes, m->model),
                     m->slot);
    }
    for (size_t i = 0; i < v->n_routes; i++)
        if (w->settled && !door_wants_model(w, v->routes[i].key))
            command(s, "del map %s %s", map, v->routes[i].key);
}

void door_changes(const struct door_wants *w, const struct haproxy_view *v, const char *routes,
                  const char *probes, struct strbuf *out)
{
    struct script s = { .out = out, .line = out->length };

    clear_slots(&s, w, v);
    set_probes(&s, w, v, probes);
    for (size_t i = 0; i < w->n_items; i++)
        if (w->items[i]->named && w->items[i]->slot[0])
            want_servers(&s, w->items[i], v);
    set_routes(&s, w, v, routes);
    if (out->length > s.line)
        strbuf_putc(out, '\n');
}

bool door_changes_complaint(const char *line)
{
    static const char *const fine[] = {
        "New server registered",
        "Server deleted",
        "Server still has connections attached", /* the next look tries again */
        "IP changed from",
        "port changed from",
        "no need to change",
    };

    if (!*line)
        return false;
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        if (strncmp(line, fine[i], strlen(fine[i])) == 0)
            return false;
    return true;
}
