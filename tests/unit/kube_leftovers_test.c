/* What is left over of moves is taken back: soon, a few at a time, and what cannot be is left alone
 * for longer each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/state/kube_facts.h"
#include "controller/substrate/kube_leftovers.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"
#include "tests/unit/kube_object.h"

#define MOST_S 4000
#define WALL0 INT64_C(1790000000000)

struct world {
    struct kube_leftovers left;
    struct kube_cluster *cluster;
    int64_t now_s;
    char held[64][16]; /* uids in hand */
    size_t n_held;
    char given[16]; /* the last one */
    bool listed, unrecorded;
    int n_given;
};

static bool has(void *data, const char *uid)
{
    const struct world *w = data;

    for (size_t i = 0; i < w->n_held; i++)
        if (strcmp(w->held[i], uid) == 0)
            return true;
    return false;
}

static void hold(struct world *w, const char *uid)
{
    (void)snprintf(w->held[w->n_held++], sizeof(w->held[0]), "%s", uid);
}

static void end(struct world *w, const char *uid)
{
    for (size_t i = 0; i < w->n_held; i++)
        if (strcmp(w->held[i], uid) == 0)
            memmove(w->held + i, w->held + i + 1, (--w->n_held - i) * sizeof(w->held[0]));
}

static void give(void *data, const struct kube_mover_order *o)
{
    struct world *w = data;

    assert_true(o->abort);
    assert_false(has(w, o->uid));
    hold(w, o->uid);
    w->n_given++;
    w->listed = o->listed;
    w->unrecorded = o->unrecorded;
    (void)snprintf(w->given, sizeof(w->given), "%s", o->uid);
}

static void look(struct world *w)
{
    const struct kube_leftovers_hand hand = { w, has, give };

    w->now_s++;
    kube_leftovers_look(&w->left, w->cluster, &hand, w->now_s * 1000, WALL0 + w->now_s * 1000);
}

/* After how many looks, one a second, the next order comes. */
static int until_given(struct world *w)
{
    int n = 0, before = w->n_given;

    do
        look(w);
    while (++n < MOST_S && w->n_given == before);
    return n;
}

static void begin(struct world *w)
{
    *w = (struct world){ .now_s = 1 };
    w->cluster = kube_cluster_new();
}

static void done(struct world *w)
{
    kube_leftovers_done(&w->left);
    kube_cluster_free(w->cluster);
}

static void put_pod(struct world *w, const char *name, const char *namespace, const char *marks)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;
    json_t *o;

    strbuf_printf(&b,
                  "{'metadata':{'name':'%s','namespace':'%s','uid':'p-%s','annotations':{%s}},"
                  "'spec':{'nodeName':'n1','containers':[]},'status':{'phase':'Running'}}",
                  name, namespace, name, marks);
    o = object(strbuf_text(&b));
    kube_cluster_put(w->cluster, KUBE_KIND_PODS, o);
    json_decref(o);
}

static void put_orphan(struct world *w, const char *name, const char *victim)
{
    char marks[200];

    (void)snprintf(marks, sizeof(marks),
                   "'huddle.energy/move':'i','huddle.energy/moved-for':'plan',"
                   "'huddle.energy/replaces':'%s','huddle.energy/replaces-pod':'gone'",
                   victim);
    put_pod(w, name, "a", marks);
}

static void drop_orphan(struct world *w, const char *name)
{
    char uid[32];

    (void)snprintf(uid, sizeof(uid), "p-%s", name);
    kube_cluster_drop(w->cluster, KUBE_KIND_PODS, &(struct kube_key){ "a", name, uid });
}

static void put_model(struct world *w, const char *uid)
{
    char text[300];
    json_t *o;

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'m','namespace':'a'},'status':{'moves':[{'victim':'v',"
                   "'victimUID':'%s','node':'n2'}]}}",
                   uid);
    o = object(text);
    kube_leftovers_model(&w->left, "m.a", o);
    json_decref(o);
}

static void an_orphan_is_taken_back_at_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_orphan(&w, "s", "v1");
    assert_int_equal(until_given(&w), 1);
    assert_string_equal(w.given, "v1");
    assert_false(w.listed);
    assert_true(w.unrecorded);
    drop_orphan(&w, "s");
    end(&w, "v1");
    assert_int_equal(until_given(&w), MOST_S);
    assert_int_equal(w.left.tries.n_items, 0); /* nothing is kept of what is gone */
    done(&w);
}

static void one_that_cannot_be_taken_back_is_left_alone_for_longer_each_time(void **state)
{
    static const int PAUSES_S[] = { 5, 10, 20, 40, 80, 160, 320, 600, 600 };
    struct world w;

    (void)state;
    begin(&w);
    put_orphan(&w, "s", "v1");
    assert_int_equal(until_given(&w), 1);
    for (size_t i = 0; i < ARRAY_LEN(PAUSES_S); i++) {
        end(&w, "v1");
        assert_int_equal(until_given(&w), PAUSES_S[i] + 1); /* from the look that sees the end */
    }
    put_orphan(&w, "t", "v2"); /* it holds up no other */
    end(&w, "v1");
    assert_int_equal(until_given(&w), 1);
    assert_string_equal(w.given, "v2");
    done(&w);
}

/* Of sixty pods that say to be leftovers four are in hand at a time, and each has its turn. */
static void a_crowd_of_them_gets_a_few_orders_at_a_time(void **state)
{
    struct world w;
    char name[16], uid[16];

    (void)state;
    begin(&w);
    for (int i = 0; i < 60; i++) {
        (void)snprintf(name, sizeof(name), "s%02d", i);
        (void)snprintf(uid, sizeof(uid), "v%02d", i);
        put_orphan(&w, name, uid);
    }
    hold(&w, "core-1"); /* what the core has in hand does not count */
    look(&w);
    assert_int_equal(w.n_given, KUBE_LEFTOVERS_MOST);
    look(&w);
    assert_int_equal(w.n_given, KUBE_LEFTOVERS_MOST);
    for (int i = 0; i < 56; i++) {
        end(&w, w.held[1]);
        assert_int_equal(until_given(&w), 1);
        (void)snprintf(uid, sizeof(uid), "v%02d", i + KUBE_LEFTOVERS_MOST);
        assert_string_equal(w.given, uid); /* who was never tried comes before who was */
        assert_int_equal(w.n_held, KUBE_LEFTOVERS_MOST + 1);
    }
    done(&w);
}

/* A move that was interrupted is the core's to carry on before it is taken back. */
static void a_move_that_a_model_tells_of_is_asked_for_again_first(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_model(&w, "v1");
    hold(&w, "v1"); /* the core's */
    for (int i = 0; i < 100; i++)
        look(&w);
    end(&w, "v1");
    assert_true(until_given(&w) * 1000 > KUBE_MOVE_AGAIN_MS);
    assert_string_equal(w.given, "v1");
    assert_true(w.listed);
    assert_false(w.unrecorded);
    end(&w, "v1");
    kube_leftovers_model(&w.left, "m.a", NULL);
    assert_int_equal(until_given(&w), MOST_S);
    put_model(&w, "v2");
    look(&w);
    for (int i = 0; i < 15; i++)
        look(&w);
    kube_leftovers_begin(&w.left); /* a term later the wait begins anew */
    assert_true(until_given(&w) * 1000 > KUBE_MOVE_AGAIN_MS);
    done(&w);
}

static void a_pod_of_another_namespace_takes_nobodys_place(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_pod(&w, "victim", "b", "");
    put_orphan(&w, "s", "p-victim");
    assert_int_equal(until_given(&w), MOST_S);
    put_pod(&w, "victim", "a", ""); /* of its own: a replica of no model */
    assert_int_equal(until_given(&w), 1);
    done(&w);
}

/* --- one more replica --- */

static void put_stand_in(struct world *w, const char *name, const char *by, int64_t deadline_s,
                         const char *more)
{
    char deadline[CLOCK_TEXT_MAX], marks[400];

    clock_format(WALL0 + deadline_s * 1000, deadline);
    (void)snprintf(marks, sizeof(marks),
                   "'huddle.energy/replicas-before':'2','huddle.energy/stand-in-deadline':'%s',"
                   "'huddle.energy/stands-in-by':'%s'%s",
                   deadline, by, more);
    put_pod(w, name, "a", marks);
}

/* The one that was to go has gone: what stands in for it tells; else it says so itself. */
static void one_more_replica_of_a_deleted_model_is_taken_back_at_once(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_stand_in(&w, "x", "plan", 3600,
                 ",'huddle.energy/stands-in-for':'v1','huddle.energy/stands-in-for-pod':'gone'");
    assert_int_equal(until_given(&w), 1);
    assert_string_equal(w.given, "v1");
    assert_true(w.unrecorded);
    assert_true(kube_cluster_has_own(w.cluster));
    drop_orphan(&w, "x");
    end(&w, "v1");
    assert_int_equal(until_given(&w), MOST_S);
    put_stand_in(&w, "y", "plan", 3600 * 24, "");
    assert_int_equal(until_given(&w), 1);
    assert_string_equal(w.given, "p-y");
    done(&w);
}

static void a_persons_is_taken_back_when_its_time_is_over(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_stand_in(&w, "x", "", 600, "");
    assert_int_equal(until_given(&w), 599); /* the world begins at 1 s */
    assert_string_equal(w.given, "p-x");
    done(&w);
}

static void one_of_another_namespace_stands_in_for_nobody(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    put_pod(&w, "victim", "b", "");
    put_stand_in(
        &w, "x", "plan", 10,
        ",'huddle.energy/stands-in-for':'p-victim','huddle.energy/stands-in-for-pod':'victim'");
    assert_int_equal(until_given(&w), MOST_S);
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orphan_is_taken_back_at_once),
        cmocka_unit_test(one_that_cannot_be_taken_back_is_left_alone_for_longer_each_time),
        cmocka_unit_test(a_crowd_of_them_gets_a_few_orders_at_a_time),
        cmocka_unit_test(a_move_that_a_model_tells_of_is_asked_for_again_first),
        cmocka_unit_test(a_pod_of_another_namespace_takes_nobodys_place),
        cmocka_unit_test(one_more_replica_of_a_deleted_model_is_taken_back_at_once),
        cmocka_unit_test(a_persons_is_taken_back_when_its_time_is_over),
        cmocka_unit_test(one_of_another_namespace_stands_in_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
