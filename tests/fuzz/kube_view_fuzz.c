/* What an API server sends, as each of its objects: read and dropped, whatever it is. */
#include "controller/kubernetes/view.h"
#include "tests/fuzz/fuzz.h"

static void read_pod(const json_t *o)
{
    struct view_taint taint = { (char *)(uintptr_t) "k", (char *)(uintptr_t) "1",
                                TAINT_NO_EXECUTE };
    struct view_node n;
    struct view_pod p;

    (void)view_node_read(o, &n);
    if (view_pod_read(o, &p) == 0) {
        MUST(p.node && p.phase && p.reason && p.meta.name && p.meta.owner.kind);
        (void)view_tolerates(&p, &taint);
        if (n.meta.name)
            (void)view_selects_node(&p, &n);
        (void)(view_is_daemon(&p) || view_is_finished(&p));
    }
    view_pod_done(&p);
    view_node_done(&n);
}

static void read_workload(const json_t *o)
{
    struct view_workload w;
    struct view_pod p;

    if (view_workload_read(o, &w) == 0) {
        (void)view_number_or_share(w.max_unavailable, w.replicas, false, 1);
        (void)view_number_or_share(w.max_surge, w.replicas, true, 1);
        (void)view_template_read(&w, &p);
        view_pod_done(&p);
    }
    view_workload_done(&w);
}

static void read_others(const json_t *o)
{
    struct view_budget b;
    struct view_service s;
    struct view_slice l;
    struct view_autoscaler a;

    if (view_budget_read(o, true, &b) == 0)
        (void)label_selector_matches(&b.selector, &b.meta.labels);
    view_budget_done(&b);
    if (view_service_read(o, &s) == 0)
        (void)label_selector_matches(&s.selector, &s.meta.labels);
    view_service_done(&s);
    (void)view_slice_read(o, &l);
    view_slice_done(&l);
    (void)view_autoscaler_read(o, &a);
    view_autoscaler_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *o = json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    read_pod(o);
    read_workload(o);
    read_others(o);
    json_decref(o);
    return 0;
}
