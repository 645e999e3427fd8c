#include "controller/kubernetes/spread.h"

static int64_t least_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t spread_least(const struct view_spread *c, int64_t pods, int64_t all)
{
    int64_t skew = c->max_skew > 0 ? c->max_skew : 1, by_skew = (pods + skew - 1) / skew;

    if (!c->required || pods <= 0)
        return 0;
    if (!c->honors_taints)
        return least_of(by_skew, all);
    /* With minDomains there the fewest is as it is, with less it is 0. */
    return least_of(least_of(by_skew, c->min_domains > 1 ? c->min_domains : 1), all);
}

int64_t spread_pods(const struct view_spread *c, const struct view_workload *w, bool surges)
{
    int64_t n = w->replicas > 0 ? w->replicas : 0, quarter = (n + 3) / 4;

    if (n == 0 || !surges || w->recreate || c->by_revision)
        return n;
    return n + view_number_or_share(w->max_surge, n, true, quarter);
}
