/* Why replicas that the plan wants find no place, as far as one cause is that of all nodes. */
#include <string.h>

#include "controller/core.h"
#include "controller/state/snapshot_build.h"
#include "controller/view.h"

#define TEXT_MAX 256

struct hosts { /* nodes that could be asked */
    uint32_t pooled, selected, eligible;
};

static struct hosts count(const struct controller *c, const struct served_model *spec)
{
    struct hosts h = { 0 };

    for (size_t i = 0; i < c->cluster->nodes.n_items; i++) {
        const struct node *n = cluster_node(c->cluster, i);
        bool selected = string_map_selects(&spec->placement.node_selector, &n->inventory.labels);

        h.pooled += n->pool != NULL;
        h.selected += n->pool && selected;
        h.eligible += n->pool && node_eligible(n, spec);
    }
    return h;
}

json_t *view_unplaced(const struct controller *c, const struct model *m,
                      const struct plan_model *planned)
{
    const struct served_model *spec = model_spec(m);
    struct hosts h;
    char text[TEXT_MAX];

    if (!planned || planned->placed >= planned->target)
        return json_string("");
    h = count(c, spec);
    if (h.pooled == 0)
        return json_string("no node that reports belongs to a PowerPool");
    if (h.selected == 0)
        return json_string("no node of a pool has the labels of placement.nodeSelector");
    if (h.eligible == 0 && spec->process.command.n > 0)
        return json_string("no node of a pool allows free commands (allowCommands in agent.yaml)");
    if (h.eligible == 0) {
        (void)snprintf(text, sizeof(text), "no node of a pool offers runtime %.100s (runtimes.d)",
                       spec->runtime);
        return view_text(text);
    }
    (void)snprintf(
        text, sizeof(text),
        "of the %u nodes that could run it none that is awake, or may be woken, has room "
        "(resources, port, placement)",
        h.eligible);
    return json_string(text);
}
