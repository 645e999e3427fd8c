/* The controller's term: a number that grows with each start, told in each reply, so that agents
 * obey the newest controller alone (SAFETY, fencing). */
#include <stdio.h>
#include <string.h>

#include "controller/core.h"
#include "controller/kube_power.h"

#define WARM_UP_MS 120000
#define TERMS_MOST 1000000u /* by which another controller can be ahead: a start each is one */
#define RAISE_MS 600000     /* so seldom one agent's word costs a leader the Lease */

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
static void see_term_of_leader(struct controller *c, struct node *n, uint64_t seen)
{
    bool ours = kube_power_term_is_ours(c, seen + 1);

    if (!c->cluster->leads || !ours) {
        if (n->raised_ms > 0 && c->now_ms - n->raised_ms < RAISE_MS)
            return; /* if it is true it is said again, and by others */
        if (!kube_power_see_term(c, seen + 1))
            return;
        n->raised_ms = c->now_ms;
        if (c->cluster->leads)
            core_event(c, true, "node", n->name, "LaterTermSeen",
                       "its agent has seen term %llu, of a later leader: this controller asks for "
                       "the Lease again before it acts",
                       (unsigned long long)seen);
    } else if (!c->store_failed) {
        adopt_term(c, n, seen);
    }
}

/* Most agents say so. That is how a leader whose Lease was deleted, and counts from 0 again, learns
 * what they obey; before all can have reported a few would be most. */
static bool most_have_seen(const struct controller *c, uint64_t term)
{
    size_t seen = 0, agents = 0;

    if (c->now_ms < c->warm_until_ms)
        return false;
    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);

        agents += n->seen;
        seen += n->seen && n->claimed_term >= term;
    }
    return 2 * seen > agents;
}

/* No series of starts can have led to it, nor, on Kubernetes, a series of leaders. There one
 * agent's word is not to depose the leader again and again, nor to use up the epochs. */
static bool is_wild(const struct controller *c, uint64_t term)
{
    if (term - c->cluster->term > TERMS_MOST)
        return true;
    return c->options.kubernetes && kube_power_term_is_far(c, term) && !most_have_seen(c, term);
}

/* An agent that has seen a higher term of this cluster: a newer controller exists. The word of one
 * agent is enough, for to be wrong is safe: this controller only wakes from then on. */
void core_see_term(struct controller *c, struct node *n, const struct wire_report *w)
{
    bool same = strcmp(w->cluster_id, c->cluster->id) == 0;
    bool higher = same && w->max_term > c->cluster->term, wild;
    bool follows = c->options.kubernetes && !c->cluster->leads; /* it does not know the epoch */
    unsigned long long term = w->max_term;

    n->claimed_term = same ? w->max_term : 0;
    wild = higher && is_wild(c, w->max_term);
    if (wild && !n->wild_term && !follows)
        core_event(c, true, "node", n->name, "TermDisputed",
                   "its agent claims to have seen term %llu, which no controller can have reached: "
                   "not believed%s; stop that agent, and remove the state.json in its stateDir",
                   term, c->options.kubernetes ? " unless most agents say so" : "");
    n->wild_term = wild && !follows;
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
