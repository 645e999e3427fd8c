/* What the front door should have: see door_wants.h. */
#include "controller/substrate/door_wants.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/haproxy_config.h"
#include "proto/base/array.h"

#define WEIGHT_MAX 256
#define NO_LIMIT 100000 /* 0 would do, but HAProxy then forgets who waits in its queue */
#define QUANTILE 0.99

/* --- what may be said to HAProxy ----------------------------------------------------------------
 */

/* Commands are cut at ';' and spaces, maps at spaces and line ends: names have none of it. */
static bool good_name(const char *name)
{
    size_t n = strlen(name);

    if (n == 0 || n > DOOR_NAME_MAX || !isalnum((unsigned char)name[0]))
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static bool good_path(const char *path)
{
    size_t n = strlen(path);

    if (path[0] != '/' || n > 1024)
        return false;
    return strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-_.~/?=&%+,:@!*()") == n;
}

int door_address_parse(const char *text, struct door_address *ret_address)
{
    const char *colon = strrchr(text, ':');
    struct door_address a = { .v6 = text[0] == '[' };
    unsigned char bytes[sizeof(struct in6_addr)];
    char host[INET6_ADDRSTRLEN];
    size_t n;
    char *end;
    long port;

    if (!colon || !isdigit((unsigned char)colon[1]))
        return -EINVAL;
    port = strtol(colon + 1, &end, 10);
    n = (size_t)(colon - text);
    if (*end || port < 1 || port > UINT16_MAX || n >= sizeof(host))
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = '\0';
    if (a.v6) {
        if (n < 2 || host[n - 1] != ']')
            return -EINVAL;
        memmove(host, host + 1, n - 2);
        host[n - 2] = '\0';
    }
    if (inet_pton(a.v6 ? AF_INET6 : AF_INET, host, bytes) != 1 ||
        !inet_ntop(a.v6 ? AF_INET6 : AF_INET, bytes, a.ip, sizeof(a.ip)))
        return -EINVAL;
    a.port = (uint16_t)port;
    *ret_address = a;
    return 0;
}

/* --- the set ------------------------------------------------------------------------------------
 */

struct door_wants *door_wants_new(uint32_t slots)
{
    struct door_wants *w = xcalloc(1, sizeof(*w));

    w->slots = slots;
    return w;
}

static void clear_servers(struct door_wanted *m)
{
    for (size_t i = 0; i < m->n_servers; i++)
        free(m->servers[i].uid);
    m->n_servers = 0;
}

static void wanted_free(struct door_wanted *m)
{
    clear_servers(m);
    free(m->servers);
    free(m->probe_path);
    free(m->model);
    free(m);
}

void door_wants_free(struct door_wants *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_items; i++)
        wanted_free(w->items[i]);
    free(w->items);
    free(w);
}

static size_t place_of(const struct door_wants *w, const char *model)
{
    size_t i = 0;

    while (i < w->n_items && strcmp(w->items[i]->model, model) != 0)
        i++;
    return i;
}

struct door_wanted *door_wants_model(const struct door_wants *w, const char *model)
{
    size_t i = place_of(w, model);

    return i < w->n_items ? w->items[i] : NULL;
}

struct door_wanted *door_wants_holder(const struct door_wants *w, const char *slot)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (strcmp(w->items[i]->slot, slot) == 0)
            return w->items[i];
    return NULL;
}

static struct door_wanted *add(struct door_wants *w, const char *model)
{
    struct door_wanted *m = xcalloc(1, sizeof(*m));

    m->model = xstrdup(model);
    m->quantile = QUANTILE;
    *ARRAY_ADD(w, items) = m;
    return m;
}

static void forget(struct door_wants *w, size_t i)
{
    wanted_free(w->items[i]);
    ARRAY_REMOVE_SWAP(w, items, i);
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct door_wanted_server *)a)->uid,
                  ((const struct door_wanted_server *)b)->uid);
}

const struct door_wanted_server *door_wanted_server(const struct door_wanted *m, const char *uid)
{
    size_t low = 0, high = m->n_servers;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(m->servers[middle].uid, uid);

        if (order == 0)
            return &m->servers[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* --- taking wants -------------------------------------------------------------------------------
 */

static int take_server(struct door_wanted *m, const struct door_want *want, struct err *e)
{
    struct door_address address;
    struct door_wanted_server *s;

    if (!good_name(want->uid))
        return err_set(e, -EINVAL, "replica \"%.80s\": not a name for a server", want->uid);
    if (door_address_parse(want->address, &address) < 0)
        return err_set(e, -EINVAL,
                       "replica %s: \"%.120s\" is not an IP address with a port: set `address` in "
                       "its agent's configuration",
                       want->uid, want->address);
    s = ARRAY_ADD(m, servers);
    s->uid = xstrdup(want->uid);
    s->address = address;
    s->drain = want->state != DOOR_READY;
    s->weight = (uint32_t)(want->weight < 0            ? 0
                           : want->weight > WEIGHT_MAX ? WEIGHT_MAX
                                                       : want->weight);
    return 0;
}

static int take_settings(struct door_wanted *m, const struct effect *effect, struct err *e)
{
    const char *path = effect->door.probe_path;
    bool probed = path && good_path(path);
    int64_t limit = effect->door.concurrency;

    free(m->probe_path);
    m->probe_path = probed ? xstrdup(path) : NULL;
    m->limit = (uint32_t)(limit < 1 || limit > NO_LIMIT ? NO_LIMIT : limit);
    m->quantile =
        effect->door.quantile > 0 && effect->door.quantile <= 1 ? effect->door.quantile : QUANTILE;
    if (path && !probed)
        return err_set(e, -EINVAL,
                       "model %s: its readiness path \"%.80s\" has characters that HAProxy cannot "
                       "take: connecting is its check at the front door",
                       m->model, path);
    return 0;
}

int door_wants_take(struct door_wants *w, const struct effect *effect, struct err *e)
{
    size_t i = place_of(w, effect->door.model);
    struct door_wanted *m;
    int r = 0, first = 0;

    if (effect->door.gone) {
        if (i < w->n_items)
            forget(w, i);
        return 0;
    }
    if (!good_name(effect->door.model))
        return err_set(e, -EINVAL, "model \"%.80s\": not a name for a route", effect->door.model);
    m = i < w->n_items ? w->items[i] : add(w, effect->door.model);
    first = take_settings(m, effect, e);
    m->named = true;
    clear_servers(m);
    for (i = 0; i < effect->door.n_servers; i++) {
        r = take_server(m, &effect->door.servers[i], first < 0 ? NULL : e);
        first = first < 0 ? first : r;
    }
    if (m->n_servers > 0)
        qsort(m->servers, m->n_servers, sizeof(*m->servers), by_uid);
    return first;
}

void door_wants_settle(struct door_wants *w)
{
    for (size_t i = w->n_items; i-- > 0;)
        if (!w->items[i]->named)
            forget(w, i);
    w->settled = true;
}

/* --- slots --------------------------------------------------------------------------------------
 */

static const char *prefix_of(bool probed)
{
    return probed ? HAPROXY_PROBED : HAPROXY_CONNECTED;
}

/* The number of a slot: those of one kind, then those of the other. False: no slot of ours. */
static bool slot_number(const struct door_wants *w, const char *slot, size_t *ret_number)
{
    for (int probed = 0; probed < 2; probed++) {
        const char *digits = slot + strlen(prefix_of(probed));
        unsigned long number;
        char *end;

        if (strncmp(slot, prefix_of(probed), strlen(prefix_of(probed))) != 0)
            continue;
        number = strtoul(digits, &end, 10);
        *ret_number = (probed ? w->slots : 0) + number;
        return isdigit((unsigned char)digits[0]) && *end == '\0' && number < w->slots &&
               strlen(slot) < DOOR_SLOT_MAX;
    }
    return false;
}

static bool of_its_kind(const struct door_wanted *m)
{
    const char *prefix = prefix_of(m->probe_path != NULL);

    return strncmp(m->slot, prefix, strlen(prefix)) == 0;
}

static void take_slot(const struct door_wants *w, bool *taken, const char *slot)
{
    size_t number;

    if (slot_number(w, slot, &number))
        taken[number] = true;
}

/* Heap: which slots somebody holds, is routed to, or has servers in. */
static bool *taken_slots(const struct door_wants *w, const struct haproxy_view *v)
{
    bool *taken = xcalloc(2 * (size_t)w->slots + 1, sizeof(*taken));

    for (size_t i = 0; i < w->n_items; i++)
        take_slot(w, taken, w->items[i]->slot);
    for (size_t i = 0; i < v->n_routes; i++)
        take_slot(w, taken, v->routes[i].value);
    for (size_t i = 0; i < v->n_servers; i++)
        take_slot(w, taken, v->servers[i].slot);
    return taken;
}

static bool give_slot(const struct door_wants *w, const struct haproxy_view *v, bool *taken,
                      struct door_wanted *m)
{
    bool probed = m->probe_path != NULL;
    const struct haproxy_slot *is;
    char slot[DOOR_SLOT_MAX];

    for (uint32_t i = 0; i < w->slots; i++) {
        if (taken[(probed ? w->slots : 0) + i])
            continue;
        (void)snprintf(slot, sizeof(slot), "%s%" PRIu32, prefix_of(probed), i);
        is = haproxy_view_slot(v, slot);
        if (!is)
            continue;
        taken[(probed ? w->slots : 0) + i] = true;
        memcpy(m->slot, slot, sizeof(slot));
        m->counted = true; /* from what others left there */
        m->slot_requests = is->requests;
        m->slot_errors = is->errors;
        return true;
    }
    return false;
}

int door_wants_give_slots(struct door_wants *w, const struct haproxy_view *v, bool *ret_changed,
                          struct err *e)
{
    const char *without = NULL;
    AUTO(mem) bool *taken = NULL;

    *ret_changed = false;
    for (size_t i = 0; i < w->n_items; i++) {
        struct door_wanted *m = w->items[i];

        if (!m->named || (m->slot[0] && of_its_kind(m)))
            continue;
        if (!taken)
            taken = taken_slots(w, v);
        if (give_slot(w, v, taken, m))
            *ret_changed = true;
        else
            without = m->model;
    }
    if (without)
        return err_set(e, -ENOSPC,
                       "model %s has no slot: all %" PRIu32 " of its kind are taken (set "
                       "frontDoor.slots)",
                       without, w->slots);
    return 0;
}

/* --- map files ----------------------------------------------------------------------------------
 */

void door_wants_write_routes(const struct door_wants *w, struct strbuf *out)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (w->items[i]->slot[0])
            strbuf_printf(out, "%s %s\n", w->items[i]->model, w->items[i]->slot);
}

void door_wants_write_probes(const struct door_wants *w, struct strbuf *out)
{
    for (size_t i = 0; i < w->n_items; i++)
        if (w->items[i]->slot[0] && w->items[i]->probe_path)
            strbuf_printf(out, "%s %s\n", w->items[i]->slot, w->items[i]->probe_path);
}

void door_wants_read_routes(struct door_wants *w, char *text)
{
    size_t number;
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *space = strchr(line, ' ');

        if (!space)
            continue;
        *space = '\0';
        if (!good_name(line) || !slot_number(w, space + 1, &number) || door_wants_model(w, line) ||
            door_wants_holder(w, space + 1))
            continue;
        (void)snprintf(add(w, line)->slot, DOOR_SLOT_MAX, "%s", space + 1);
    }
}
