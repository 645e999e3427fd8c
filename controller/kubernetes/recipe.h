/* Which way a pod can be moved, by who owns it: the table kind -> {unit, recipe, owner, who dies}.
 * Pure.
 *
 * A pod has up to three owners above it (pod: ReplicaSet: Deployment: InferenceService); each says
 * what may be done, and the first that forbids it is the reason. What is not in the table is left
 * alone, under its own name. */
#ifndef HUDDLE_KUBERNETES_RECIPE_H
#define HUDDLE_KUBERNETES_RECIPE_H

#include "controller/kubernetes/view.h"

enum recipe_level {
    RECIPE_POD,      /* controllers of pods */
    RECIPE_SET,      /* controllers of ReplicaSets and StatefulSets */
    RECIPE_WORKLOAD, /* controllers of Deployments */
};

enum recipe_way { /* what may be done, of which the first that can be is done */
                  RECIPE_NONE = 0,
                  RECIPE_ADOPT = 1,              /* adopt.h: `replicas` untouched */
                  RECIPE_SURGE_EVICT_SHRINK = 2, /* stand_in.h */
                  RECIPE_BORROW = 4,             /* stand_in.h */
                  RECIPE_DELETION_COST = 8,      /* stand_in.h: where the account may not evict */
};

struct recipe {
    enum recipe_level level;
    const char *group, *kind; /* kind NULL: any other */
    const char *unit;         /* what moves as one */
    unsigned ways;            /* of enum recipe_way */
    const char *replicas;     /* whose their number is */
    const char *dies;         /* which pod goes, and by whose hand */
    const char *reason, *why; /* without a way: a CamelCase word; a sentence with the way out */
};

/* Never NULL. `api_version` as of the owner reference; kind "": none. */
const struct recipe *recipe_of(enum recipe_level level, const char *api_version, const char *kind);

/* Of a pod by its owners as far as they are known (NULL: not, or there is none): the row that
 * forbids it, else the pod's own. */
const struct recipe *recipe_for(const struct view_pod *p, const struct view_workload *set,
                                const struct view_workload *deployment, unsigned *ret_ways);

/* Is the claim one that the StatefulSet makes for this pod alone? */
bool recipe_is_own_claim(const struct view_workload *set, const struct view_pod *p,
                         const char *claim);

const char *recipe_name(enum recipe_way way); /* "surge-evict-shrink" */

#endif
