/* The controller's term: a number that grows with each start, told in each reply, so that agents
 * obey the newest controller alone (SAFETY, fencing). */
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_power.h"

#define WARM_UP_MS 120000
#define TERMS_MOST 1000000u /* by which another controller can be ahead: a start each is one */

static int64_t warm_up_ms(const struct controller *c)
{
    int64_t longest = 0;

    for (size_t i = 0; i < c->cluster->policies.n_items; i++) {
        int64_t ms = policy_spec(cluster_policy(c->cluster, i))->timing.warm_up_ms;

        if (ms > longest)
            longest = ms;
    }
    if (c->cluster->policies.n_items == 0)
        longest = WARM_UP_MS;
    return longest > 3 * c->options.report_interval_ms ? longest
                                                       : 3 * c->options.report_interval_ms;
}

void core_begin_term(struct controller *c)
{
    c->cluster->term++;
    c->cluster->instance = c->options.instance;
    c->cluster->queue_ms = c->options.front_door ? c->options.queue_ms : 0;
    if (!c->cluster->id[0])
        (void)snprintf(c->cluster->id, sizeof(c->cluster->id), "%s", c->options.cluster_id);
    c->meta_due = c->doors_now = true;
    /* A fresh cluster has nothing that could shrink wrongly; Kubernetes says by itself when all of
     * it was told (kube_unseen). */
    c->warming_up = c->restored && c->cluster->nodes.n_items > 0 && !c->options.kubernetes;
    c->warm_until_ms = c->now_ms + warm_up_ms(c);
    if (c->options.kubernetes)
        (void)kube_power_see_term(c, c->cluster->term);
    core_event(c, false, "cluster", c->cluster->id, "ControllerStarted", "term %llu",
               (unsigned long long)c->cluster->term);
}

static void adopt_term(struct controller *c, const struct node *n, uint64_t seen)
{
    c->cluster->term = seen + 1;
    c->meta_due = true;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++)
        node_reply_due(c->cluster, cluster_node(c->cluster, i));
    core_event(c, false, "node", n->name, "TermAdopted", "its agent has seen term %llu: now %llu",
               (unsigned long long)seen, (unsigned long long)c->cluster->term);
}

/* On Kubernetes who acts is who has the Lease. A term of its own epoch a leader may pass; one of a
 * later epoch is another leader's, and this one, who may be stale, has to win the Lease again. */
static void see_term_of_leader(struct controller *c, const struct node *n, uint64_t seen)
{
    bool ours = kube_power_term_is_ours(c, seen + 1);

    if (!c->cluster->leads || !ours) {
        if (kube_power_see_term(c, seen + 1) && c->cluster->leads)
            core_event(c, true, "node", n->name, "LaterTermSeen",
                       "its agent has seen term %llu, of a later leader: this controller asks for "
                       "the Lease again before it acts",
                       (unsigned long long)seen);
    } else if (!c->store_failed) {
        adopt_term(c, n, seen);
    }
}

/* An agent that has seen a higher term of this cluster: a newer controller exists. The word of one
 * agent is enough, for to be wrong is safe: this controller only wakes from then on. What no series
 * of starts can have led to is not believed. */
void core_see_term(struct controller *c, struct node *n, const struct wire_report *w)
{
    bool higher = strcmp(w->cluster_id, c->cluster->id) == 0 && w->max_term > c->cluster->term;
    bool wild = higher && w->max_term - c->cluster->term > TERMS_MOST;
    unsigned long long term = w->max_term;

    if (wild && !n->wild_term)
        core_event(c, true, "node", n->name, "TermDisputed",
                   "its agent claims to have seen term %llu, which no controller can have reached: "
                   "not believed; stop that agent, and remove the state.json in its stateDir",
                   term);
    n->wild_term = wild;
    if (!higher || wild || c->deposed)
        return;
    if (c->options.kubernetes) {
        see_term_of_leader(c, n, w->max_term);
        return;
    }
    if (c->options.adopt && c->now_ms < c->warm_until_ms) {
        if (!c->store_failed) /* else it could not be kept */
            adopt_term(c, n, w->max_term);
        return;
    }
    core_event(c, true, "node", n->name, "HigherTermSeen",
               "its agent has seen term %llu: this controller only wakes from now on; if no other "
               "one runs, start it with --adopt",
               term);
    c->store_failed = c->deposed = true;
}
