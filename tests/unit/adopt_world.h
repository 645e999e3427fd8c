/* A small Kubernetes on a desk, for the tests of adopt: objects as JSON; a scheduler, a kubelet, a
 * ReplicaSet controller that adopts and deletes by the documented ranking, endpoints that follow
 * later, a counted budget; and a mover that asks adopt_next() and carries out what it says, with
 * failures where a test wants them. Time goes in ticks of 100 ms. */
#ifndef HUDDLE_TESTS_ADOPT_WORLD_H
#define HUDDLE_TESTS_ADOPT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/kubernetes/adopt.h"
#include "controller/kubernetes/stand_in.h"
#include "controller/kubernetes/view_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/random.h"

#define WALL0 INT64_C(1790000000000)
#define TICK_MS 100
#define SET_UID "uid-set"
#define NODES 4

struct desk {
    json_t *pods, *set, *deployment, *budgets, *services, *slices;
    json_t *node[NODES]; /* n0 .. n3 */
    int64_t now_ms;
    int versions, born;
    int grace_ticks, start_ticks, endpoint_ticks, controller_ticks; /* how long things take */
    bool controller_stopped;
    bool may_not_evict;
    bool old;             /* before Kubernetes 1.22: managedFields do not tell who scaled */
    int lag_ticks;        /* so long the set's controller takes one that is evicted for alive */
    bool ordinals;        /* the set is a StatefulSet, of nobody */
    const char *scaler;   /* as of adopt_facts */
    const char *new_pods; /* node of pods that are not pinned; NULL: n0 */
    int n_ready_least;    /* invariant; -1: not looked at */
    int n_selected_most;  /* of the Service's pods that are not ending */
    /* mover */
    bool stand_in; /* it moves by stand_in.h, else by adopt.h */
    struct adopt_move move;
    struct move_act act; /* the last */
    int n_acts;          /* carried out */
    int fail_at;         /* number of the act at which a failure strikes; -1: never */
    enum fail_how { BEFORE, AFTER, REPLY_LOST } fail_how;
    int n_created, n_crashes, n_evicted, n_denied;
};

extern const char DESK_TEMPLATE[]; /* of its pods */

struct desk_facts {
    struct adopt_facts f;
    struct view_pod *pods, *on_target;
    size_t n_pods, n_on_target;
    struct view_workload set, deployment;
    struct view_budget budget[2];
    struct view_service service[2];
    struct view_slice slice[2];
    struct view_node node;
};

json_t *desk_json(const char *text);
json_t *desk_in(json_t *object, const char *path);
/* Sets object.a.b.c, making what is between; `value` is taken over. */
void desk_set(json_t *object, const char *path, json_t *value);
/* It has changed: another resourceVersion. */
void desk_touch(struct desk *d, json_t *object);
/* NULL: there is none. */
json_t *desk_pod(const struct desk *d, const char *name);
void desk_annotate(struct desk *d, json_t *pod, const char *key, const char *value);
void desk_condition(json_t *object, const char *type, bool status, const char *reason);
bool desk_is_ready(const json_t *pod);
bool desk_is_deleting(const json_t *pod);
/* `pod` is taken over; borrowed from the desk. */
json_t *desk_add(struct desk *d, json_t *pod);
/* Gracefully: it goes some ticks later. */
void desk_delete(struct desk *d, json_t *pod);
long desk_cost(const json_t *pod);
void desk_endpoints(struct desk *d);
/* The invariants of struct desk. */
void desk_check(const struct desk *d);
/* 100 ms pass. */
void desk_tick(struct desk *d);
/* Nothing of a move is left but a pod that was adopted. */
void desk_assert_clean(const struct desk *d);
/* A Deployment of so many pods, all Ready, and a move of web-1 to n2. */
void desk_init(struct desk *d, int replicas);
void desk_init_as(struct desk *d, int replicas, bool ordinals); /* or a StatefulSet */
/* That whose `replicas` a move writes. */
json_t *desk_workload(const struct desk *d);
void desk_scale(struct desk *d, int64_t replicas);
void desk_done(struct desk *d);

/* --- the mover --- */

void desk_facts_read(const struct desk *d, struct desk_facts *x);
void desk_facts_done(struct desk_facts *x);
/* The mover ends, and another goes on. */
void desk_forget(struct desk *d);
/* One look, and one act. True: it is over. */
bool desk_move(struct desk *d);
/* What a mover would do of what it sees now; and the act, which may be old by then. */
void desk_look(struct desk *d, struct adopt_move *m, struct move_act *ret_act);
void desk_serve(struct desk *d, const struct move_act *a);
/* So many looks and ticks, at most. True: it is over. */
bool desk_run(struct desk *d, int ticks);

#endif
