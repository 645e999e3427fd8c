#include "controller/kubernetes/doctor.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

static void keep_namespace(struct findings *f, const char *namespace)
{
    struct findings kept = { 0 };

    ARRAY_FOREACH(i, f, item) {
        if (strcmp(i->namespace, namespace) != 0)
            continue;
        findings_add(&kept, i->severity, i->code, i->kind, i->namespace, i->name, i->what,
                     i->derived, i->way_out);
        i->what = i->derived = NULL;
    }
    findings_done(f);
    *f = kept;
}

void doctor_examine(const struct survey *s, const struct sleepers_now *now, const char *namespace,
                    struct findings *ret)
{
    *ret = (struct findings){ 0 };
    doctor_cluster(s, ret);
    doctor_nodes(s, ret);
    doctor_daemons(s, now, ret);
    doctor_spread(s, now, ret);
    doctor_workloads(s, ret);
    doctor_budgets(s, ret);
    doctor_pods(s, ret);
    if (namespace)
        keep_namespace(ret, namespace);
    findings_sort(ret);
}
