/* One look at an HAProxy, parsed: see haproxy_view.h. The answers to the commands follow each
 * other, each closed by an empty line; the one that holds foreign text comes last. */
#include "controller/substrate/haproxy_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/haproxy_table.h"
#include "proto/base/array.h"

#define CHECK_ENABLED 0x04u

void haproxy_look(struct strbuf *out, const char *routes, const char *probes)
{
    strbuf_printf(out, "show info;show map %s;show map %s;show servers state;show stat -1 6 -1",
                  routes, probes);
}

void haproxy_view_free(struct haproxy_view *v)
{
    if (!v)
        return;
    free(v->text);
    free(v->servers);
    free(v->slots);
    free(v->routes);
    free(v->probes);
    free(v);
}

/* --- pieces -------------------------------------------------------------------------------------
 */

static bool number_of(const char *text, uint64_t most, uint64_t *ret_value)
{
    uint64_t v = 0;

    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *ret_value = v;
    return v <= most;
}

/* The next line of a section, without its end; NULL at the empty line that closes it. */
static char *next_line(char **p, const char *end)
{
    char *line = *p, *stop;

    if (line >= end)
        return NULL;
    stop = memchr(line, '\n', (size_t)(end - line));
    if (stop) {
        *stop = '\0';
        *p = stop + 1;
    } else {
        *p = line + strlen(line);
    }
    return *line ? line : NULL;
}

static const char *behind(const char *line, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(line, prefix, n) == 0 ? line + n : NULL;
}

/* --- sections -----------------------------------------------------------------------------------
 */

static int take_info(struct haproxy_view *v, char **p, const char *end, struct err *e)
{
    uint64_t pid = 0, start = 0;
    const char *value;
    char *line;

    while ((line = next_line(p, end))) {
        if ((value = behind(line, "Pid: ")))
            (void)number_of(value, INT32_MAX, &pid);
        else if ((value = behind(line, "Start_time_sec: ")))
            (void)number_of(value, INT64_MAX, &start);
        else if ((value = behind(line, "description: ")))
            v->description = value;
    }
    if (pid == 0)
        return err_set(e, -EBADMSG, "`show info` names no process");
    v->pid = (int64_t)pid;
    v->start_s = (int64_t)start;
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct haproxy_pair *)a)->key, ((const struct haproxy_pair *)b)->key);
}

/* Lines "0x55d1 KEY VALUE". */
static int take_map(struct haproxy_pair **pairs, size_t *n, size_t *cap, char **p, const char *end,
                    struct err *e)
{
    char *line;

    while ((line = next_line(p, end))) {
        char *key = strchr(line, ' ');
        char *value = key ? strchr(key + 1, ' ') : NULL;

        if (!behind(line, "0x") || !value)
            return err_set(e, -EBADMSG, "it has no map of ours: it says \"%.80s\"", line);
        *value = '\0';
        *pairs = array_grow(*pairs, *n, cap, sizeof(**pairs));
        (*pairs)[(*n)++] = (struct haproxy_pair){ key + 1, value + 1 };
    }
    if (*n > 0)
        qsort(*pairs, *n, sizeof(**pairs), by_key);
    return 0;
}

enum { S_SLOT, S_NAME, S_IP, S_UP, S_ADMIN, S_WEIGHT, S_CHECK, S_HEALTH, S_PORT, S_COLUMNS };
static const char *const STATE_COLUMNS[S_COLUMNS] = {
    "be_name",     "srv_name",        "srv_addr",         "srv_op_state", "srv_admin_state",
    "srv_uweight", "srv_check_state", "srv_check_health", "srv_port",
};

enum { C_SLOT, C_NAME, C_QUEUED, C_CURRENT, C_LIMIT, C_REQUESTS, C_5XX, C_CUT, C_COLUMNS };
static const char *const STAT_COLUMNS[C_COLUMNS] = {
    "pxname", "svname", "qcur", "scur", "slim", "stot", "hrsp_5xx", "srv_abrt",
};

static int find_columns(const struct haproxy_table *t, const char *const *names, int n, int *column,
                        struct err *e)
{
    for (int i = 0; i < n; i++) {
        column[i] = haproxy_table_column(t, names[i]);
        if (column[i] < 0)
            return err_set(e, -EBADMSG, "a table without the column %s", names[i]);
    }
    return 0;
}

static int take_server(struct haproxy_view *v, const struct haproxy_table *t, const int *column,
                       struct err *e)
{
    uint64_t up, admin, weight, check, health, port;
    struct haproxy_server *s;

    if (!number_of(haproxy_table_cell(t, column[S_UP]), 3, &up) ||
        !number_of(haproxy_table_cell(t, column[S_ADMIN]), UINT16_MAX, &admin) ||
        !number_of(haproxy_table_cell(t, column[S_WEIGHT]), 256, &weight) ||
        !number_of(haproxy_table_cell(t, column[S_CHECK]), UINT16_MAX, &check) ||
        !number_of(haproxy_table_cell(t, column[S_HEALTH]), UINT16_MAX, &health) ||
        !number_of(haproxy_table_cell(t, column[S_PORT]), UINT16_MAX, &port))
        return err_set(e, -EBADMSG, "a server's state that is no number");
    s = ARRAY_ADD(v, servers);
    s->slot = haproxy_table_cell(t, column[S_SLOT]);
    s->name = haproxy_table_cell(t, column[S_NAME]);
    s->ip = haproxy_table_cell(t, column[S_IP]);
    s->port = (uint16_t)port;
    s->admin = (unsigned)admin;
    s->up = up == 1 || up == 2; /* warming up, running */
    s->checked = (check & CHECK_ENABLED) != 0;
    s->healthy = health > 0; /* 0 until the first check, and after enough failed ones */
    s->weight = (uint32_t)weight;
    return 0;
}

static int by_server(const void *a, const void *b)
{
    const struct haproxy_server *x = a, *y = b;
    int order = strcmp(x->slot, y->slot);

    return order ? order : strcmp(x->name, y->name);
}

static int take_states(struct haproxy_view *v, char **p, char *end, struct err *e)
{
    const char *version = next_line(p, end);
    struct haproxy_table t;
    int column[S_COLUMNS];
    int r;

    if (!version || strcmp(version, "1") != 0)
        return err_set(e, -EBADMSG, "`show servers state` of another version");
    r = haproxy_table_open(&t, *p, end, ' ');
    if (r < 0)
        return err_set(e, r, "`show servers state` without its columns");
    r = find_columns(&t, STATE_COLUMNS, S_COLUMNS, column, e);
    while (r == 0 && (r = haproxy_table_next(&t)) == 1)
        r = take_server(v, &t, column, e);
    if (r < 0)
        return err_prefix(e, r, "`show servers state`");
    *p = t.next;
    if (v->n_servers > 0)
        qsort(v->servers, v->n_servers, sizeof(*v->servers), by_server);
    return 0;
}

static int take_slot(struct haproxy_view *v, const struct haproxy_table *t, const int *column,
                     struct err *e)
{
    uint64_t requests, failed, cut, current;
    struct haproxy_slot *slot;

    if (!number_of(haproxy_table_cell(t, column[C_REQUESTS]), UINT64_MAX, &requests) ||
        !number_of(haproxy_table_cell(t, column[C_5XX]), UINT64_MAX / 2, &failed) ||
        !number_of(haproxy_table_cell(t, column[C_CUT]), UINT64_MAX / 2, &cut) ||
        !number_of(haproxy_table_cell(t, column[C_CURRENT]), UINT32_MAX, &current))
        return err_set(e, -EBADMSG, "`show stat`: a counter that is no number");
    slot = ARRAY_ADD(v, slots);
    *slot = (struct haproxy_slot){ .name = haproxy_table_cell(t, column[C_SLOT]),
                                   .requests = requests,
                                   .errors = failed + cut,
                                   .current = current };
    return 0;
}

static int take_counters(struct haproxy_view *v, const struct haproxy_table *t, const int *column,
                         struct err *e)
{
    /* Between two commands a server may have come or gone: then it is not counted. */
    struct haproxy_server key = { .slot = haproxy_table_cell(t, column[C_SLOT]),
                                  .name = haproxy_table_cell(t, column[C_NAME]) };
    const char *limit = haproxy_table_cell(t, column[C_LIMIT]);
    struct haproxy_server *s =
        v->n_servers ? bsearch(&key, v->servers, v->n_servers, sizeof(key), by_server) : NULL;

    if (!s)
        return 0;
    if (!number_of(haproxy_table_cell(t, column[C_CURRENT]), UINT32_MAX, &s->current) ||
        !number_of(haproxy_table_cell(t, column[C_QUEUED]), UINT32_MAX, &s->queued) ||
        (*limit && !number_of(limit, UINT32_MAX, &s->limit)))
        return err_set(e, -EBADMSG, "`show stat`: a counter that is no number");
    s->counted = true;
    return 0;
}

static int by_slot(const void *a, const void *b)
{
    return strcmp(((const struct haproxy_slot *)a)->name, ((const struct haproxy_slot *)b)->name);
}

static int take_stat(struct haproxy_view *v, char *p, char *end, struct err *e)
{
    struct haproxy_table t;
    int column[C_COLUMNS];
    int r = haproxy_table_open(&t, p, end, ',');

    if (r < 0)
        return err_set(e, r, "`show stat` without its columns");
    r = find_columns(&t, STAT_COLUMNS, C_COLUMNS, column, e);
    while (r == 0 && (r = haproxy_table_next(&t)) == 1) {
        if (strcmp(haproxy_table_cell(&t, column[C_NAME]), "BACKEND") == 0)
            r = take_slot(v, &t, column, e);
        else
            r = take_counters(v, &t, column, e);
    }
    if (r < 0)
        return err_prefix(e, r, "`show stat`");
    if (v->n_slots > 0)
        qsort(v->slots, v->n_slots, sizeof(*v->slots), by_slot);
    return 0;
}

int haproxy_view_parse(char *text, size_t n, struct haproxy_view **ret_view, struct err *e)
{
    AUTO(haproxy_view) struct haproxy_view *v = xcalloc(1, sizeof(*v));
    char *p = text, *end = text + n;
    int r;

    v->text = text;
    v->description = "";
    if (memchr(text, '\0', n))
        return err_set(e, -EBADMSG, "an answer with a NUL in it");
    r = take_info(v, &p, end, e);
    if (r == 0)
        r = take_map(&v->routes, &v->n_routes, &v->cap_routes, &p, end, e);
    if (r == 0)
        r = take_map(&v->probes, &v->n_probes, &v->cap_probes, &p, end, e);
    if (r == 0)
        r = take_states(v, &p, end, e);
    if (r == 0)
        r = take_stat(v, p, end, e);
    if (r < 0)
        return r;
    *ret_view = TAKE(v);
    return 0;
}

/* --- looking up ---------------------------------------------------------------------------------
 */

const struct haproxy_server *haproxy_view_server(const struct haproxy_view *v, const char *slot,
                                                 const char *name)
{
    struct haproxy_server key = { .slot = slot, .name = name };

    return v->n_servers ? bsearch(&key, v->servers, v->n_servers, sizeof(key), by_server) : NULL;
}

const struct haproxy_slot *haproxy_view_slot(const struct haproxy_view *v, const char *name)
{
    struct haproxy_slot key = { .name = name };

    return v->n_slots ? bsearch(&key, v->slots, v->n_slots, sizeof(key), by_slot) : NULL;
}

const char *haproxy_pair_value(const struct haproxy_pair *pairs, size_t n, const char *key)
{
    struct haproxy_pair wanted = { .key = key };
    const struct haproxy_pair *found =
        n ? bsearch(&wanted, pairs, n, sizeof(wanted), by_key) : NULL;

    return found ? found->value : NULL;
}

const struct haproxy_server *haproxy_view_servers(const struct haproxy_view *v, const char *slot,
                                                  size_t *ret_n)
{
    size_t low = 0, high = v->n_servers, n = 0;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (strcmp(v->servers[middle].slot, slot) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < v->n_servers && strcmp(v->servers[low + n].slot, slot) == 0)
        n++;
    *ret_n = n;
    return n ? &v->servers[low] : NULL;
}
