/* See view_kube.h. */
#include "controller/view_kube.h"

#include <string.h>

#include "controller/kube_facts.h"
#include "controller/reconcile/reconcile.h"
#include "controller/view.h"

static json_t *drain(const struct model *m)
{
    if (!m->kube.known || !m->kube.drain[0])
        return json_null();
    return json_pack("{s:b, s:s, s:o}", "safe", m->kube.loses == NULL, "reason", m->kube.drain,
                     "message", view_text(m->kube.loses));
}

static json_t *consolidation(struct controller *c, const struct model *m)
{
    struct kube_moves_word w = kube_moves_tell(c, m);

    return json_pack("{s:b, s:s, s:o}", "on", w.on, "reason", w.reason, "message",
                     view_text(w.why));
}

void view_set_kube_model(struct controller *c, const struct model *m, json_t *status)
{
    view_set(status, "drain", c->options.kubernetes ? drain(m) : json_null());
    view_set(status, "consolidation", c->options.kubernetes ? consolidation(c, m) : json_null());
}

void view_set_kube_pool(const struct controller *c, const struct pool *p, json_t *status)
{
    bool driven = strcmp(pool_spec(p)->driver.type, "none") != 0;
    const struct node *first = NULL;
    json_int_t asked = 0, unread = 0;

    for (size_t i = 0; driven && i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        if (n->pool != p || n->power_ms == 0)
            continue;
        asked++;
        if (n->power != POWER_UNKNOWN)
            continue;
        unread++;
        if (!first)
            first = n;
    }
    view_set(status, "unseen", view_text(kube_unseen(c)));
    view_set(status, "least",
             json_integer((json_int_t)pool_spec(p)->min_awake + pool_spec(p)->spare));
    view_set(status, "powerAsked", driven ? json_integer(asked) : json_null());
    view_set(status, "powerUnread", driven ? json_integer(unread) : json_null());
    view_set(status, "powerProblem",
             first ? json_sprintf("%s: %s", first->name,
                                  first->power_message ? first->power_message : "no answer")
                   : json_string(""));
}
