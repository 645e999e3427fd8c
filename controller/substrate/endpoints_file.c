/* The endpoints of all models as JSON: see endpoints_file.h. */
#include "controller/substrate/endpoints_file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

static const char *state_of(const struct door_wanted *m, const struct door_wanted_server *s,
                            const struct haproxy_view *v)
{
    const struct haproxy_server *is = v ? haproxy_view_server(v, m->slot, s->uid) : NULL;

    if (is && (!is->up || (is->checked && !is->healthy)))
        return "down";
    return s->drain ? "drain" : "ready";
}

static json_t *server_json(const struct door_wanted *m, const struct door_wanted_server *s,
                           const struct haproxy_view *v)
{
    char address[INET6_ADDRSTRLEN + 10];

    (void)snprintf(address, sizeof(address), "%s%s%s:%u", s->address.v6 ? "[" : "", s->address.ip,
                   s->address.v6 ? "]" : "", s->address.port);
    return json_pack("{s:s, s:s, s:s, s:i}", "uid", s->uid, "address", address, "state",
                     state_of(m, s, v), "weight", (int)s->weight);
}

char *endpoints_file_text(const struct door_wants *w, const struct haproxy_view *v)
{
    json_t *models = json_object(), *root = json_pack("{s:o}", "models", models);
    struct strbuf out = STRBUF_INIT;
    char *text;

    for (size_t i = 0; i < w->n_items; i++) {
        const struct door_wanted *m = w->items[i];
        json_t *servers = json_array();

        for (size_t k = 0; k < m->n_servers; k++)
            (void)json_array_append_new(servers, server_json(m, &m->servers[k], v));
        if (m->named)
            (void)json_object_set_new(models, m->model, json_pack("{s:O}", "servers", servers));
        json_decref(servers);
    }
    text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    strbuf_printf(&out, "%s\n", text ? text : "{}");
    free(text);
    json_decref(root);
    return strbuf_take(&out);
}
