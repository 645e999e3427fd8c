/* Opens and closes the windows of all policies. */
#include "controller/reconcile/reconcile.h"
#include "controller/reconcile/window.h"

void reconcile_windows(struct controller *c)
{
    for (size_t i = 0; i < c->cluster->policies.n_items; i++) {
        struct policy *p = cluster_policy(c->cluster, i);
        const struct power_policy *spec = policy_spec(p);
        bool open = windows_open(spec->windows, p->zones, spec->n_windows, c->wall_ms);

        if (open == p->window_open)
            continue;
        p->window_open = open;
        core_event(c, false, "powerpolicy", p->name, open ? "WindowOpened" : "WindowClosed",
                   open ? "moves and sleeps are allowed" : "no moves, no sleeps for now");
    }
}
