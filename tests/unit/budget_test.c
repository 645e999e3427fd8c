/* May the cluster do without an empty node (T5, G5)? Against a check that is written straight from
 * the sentence: whichever one other node is lost, the floors are kept or restored elsewhere. */
#include "tests/unit/core_world.h"

#include "controller/reconcile/reconcile.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/random.h"

#define NODES 9
#define MODELS 3

static void declare(struct desk *d, int model, int cpu, int floor)
{
    char text[600];

    (void)snprintf(text, sizeof(text),
                   "{" API "\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m%d\"},\"spec\":{"
                   "\"replicas\":{\"min\":0,\"max\":99},\"runtime\":\"r\",\"capacity\":"
                   "{\"requestsPerSecond\":5},\"resources\":{\"cpu\":\"%d\",\"memory\":\"1Mi\"},"
                   "\"disruption\":{\"minAvailable\":%d}}}",
                   model, cpu, floor);
    assert_true(desk_put(d, text) < 300);
}

/* A node with one ready replica for each letter of `models`. */
static void host(struct desk *d, int node, const char *models)
{
    struct wire_replica r[8] = { 0 };
    char name[16], uid[8][40], model[8][8];
    size_t n = strlen(models);

    (void)snprintf(name, sizeof(name), "n%d", node);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(uid[i], sizeof(uid[i]), "r-%d-%zu", node, i);
        (void)snprintf(model[i], sizeof(model[i]), "m%c", models[i]);
        r[i] = (struct wire_replica){ .uid = uid[i],
                                      .model = model[i],
                                      .reason = "",
                                      .phase = REPLICA_READY,
                                      .port = 20000 + (uint32_t)i };
    }
    desk_report(d, name, r, n);
}

static void begin(struct desk *d)
{
    desk_init(d);
    desk_put(d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{"
                "\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":1,"
                "\"spare\":1}}");
}

static const char *ask(struct desk *d, const char *node)
{
    budget_count(d->core);
    return budget_no_commit(d->core, named_find(&d->core->cluster->nodes, node));
}

static void the_loss_of_any_other_is_survived(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    declare(&d, 0, 3, 2);
    host(&d, 0, "0");
    host(&d, 1, "0");
    host(&d, 2, "");
    assert_non_null(strstr(ask(&d, "n2"), "loss of one more node"));
    host(&d, 3, "");
    assert_null(ask(&d, "n2"));
    assert_null(ask(&d, "n3")); /* a trial leaves nothing behind */
    declare(&d, 0, 3, 3);
    assert_non_null(strstr(ask(&d, "n2"), "below its floor"));
    desk_done(&d);
}

static void what_else_keeps_it_awake(void **state)
{
    struct model *m;
    struct desk d;

    (void)state;
    begin(&d);
    declare(&d, 0, 1, 1);
    host(&d, 0, "0");
    host(&d, 1, "0");
    host(&d, 2, "");
    assert_null(ask(&d, "n2"));
    m = named_find(&d.core->cluster->models, "m0");
    m->slo_bad_since_ms = d.now_ms;
    assert_non_null(strstr(ask(&d, "n2"), "SLO"));
    m->slo_bad_since_ms = NEVER_MS;
    d.core->cluster->paused = true;
    assert_non_null(strstr(ask(&d, "n2"), "paused"));
    d.core->cluster->paused = false;
    d.core->options.front_door = true;
    assert_non_null(strstr(ask(&d, "n2"), "front door"));
    d.core->options.front_door = false;
    ((struct node *)named_find(&d.core->cluster->nodes, "n2"))->record.state = NODE_EMPTY;
    assert_null(ask(&d, "n2")); /* two awake, as many as the pool wants */
    ((struct node *)named_find(&d.core->cluster->nodes, "n1"))->record.state = NODE_EMPTY;
    assert_non_null(strstr(ask(&d, "n2"), "its pool needs"));
    desk_done(&d);
}

/* A node that was lost, or filled by guests, in one trial is a refuge again in the next. */
static void every_trial_begins_anew(void **state)
{
    static const char *const racks[][3] = { { "0", "00", "1" }, { "1", "00", "0" } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(racks); i++) {
        struct desk d;

        begin(&d);
        declare(&d, 0, 2, 3);
        declare(&d, 1, 2, 0);
        for (int k = 0; k < 3; k++)
            host(&d, k, racks[i][k]);
        host(&d, 3, "");
        assert_null(ask(&d, "n3"));
        desk_done(&d);
    }
}

/* A replica that became ready since the last tick is lost with its node like the others. */
static void facts_newer_than_the_tick_count(void **state)
{
    struct desk d;

    (void)state;
    begin(&d);
    declare(&d, 0, 2, 1);
    host(&d, 0, "0");
    host(&d, 1, "");
    budget_count(d.core);
    host(&d, 0, "00");
    assert_non_null(strstr(budget_no_commit(d.core, named_find(&d.core->cluster->nodes, "n1")),
                           "loss of one more"));
    desk_done(&d);
}

/* Whatever a plan says; a node on its way to sleep is still on, a silent one serves nothing. */
static void no_more_are_woken_than_may_be_awake(void **state)
{
    struct node *asleep, *second;
    struct desk d;

    (void)state;
    begin(&d);
    desk_put(&d, "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},\"spec\":{"
                 "\"minAwake\":1,\"spare\":1,\"maxAwake\":2}}");
    for (int i = 0; i < 3; i++)
        host(&d, i, "");
    asleep = named_find(&d.core->cluster->nodes, "n2");
    second = named_find(&d.core->cluster->nodes, "n1");
    asleep->record.state = NODE_ASLEEP;
    budget_count(d.core);
    assert_false(budget_wakes_left(d.core, asleep));
    second->record.state = NODE_DRAINING;
    budget_count(d.core);
    assert_false(budget_wakes_left(d.core, asleep));
    second->record.state = NODE_UNREACHABLE;
    budget_count(d.core);
    assert_true(budget_wakes_left(d.core, asleep));
    desk_done(&d);
}

static bool slowly_survives(struct desk *d, const struct node *gone, const struct node *lost)
{
    struct cluster *c = d->core->cluster;
    int64_t free_milli[NODES];
    int left[MODELS] = { 0 };

    for (size_t i = 0; i < c->nodes.n_items; i++) {
        free_milli[i] = 4000;
        for (size_t k = 0; k < cluster_node(c, i)->n_replicas; k++) {
            const struct replica *r = cluster_node(c, i)->replicas[k];

            free_milli[i] -= replica_spec(r)->resources.cpu_milli;
            left[r->model->name[1] - '0'] += r->node != lost;
        }
    }
    for (size_t k = 0; k < lost->n_replicas; k++) {
        const struct replica *r = lost->replicas[k];
        int *serving = &left[r->model->name[1] - '0'];
        int64_t cpu_milli = replica_spec(r)->resources.cpu_milli;
        bool placed = *serving >= model_spec(r->model)->disruption.min_available;

        for (size_t i = 0; i < c->nodes.n_items && !placed; i++) {
            if (cluster_node(c, i) == gone || cluster_node(c, i) == lost ||
                free_milli[i] < cpu_milli)
                continue;
            free_milli[i] -= cpu_milli;
            ++*serving;
            placed = true;
        }
        if (!placed)
            return false;
    }
    return true;
}

static void agrees_with_the_slow_way(void **state)
{
    int yes = 0, no = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct random random = random_stream(seed, 0, 0, 0);
        int serving[MODELS] = { 0 };
        struct desk d;
        bool survives = true;
        const char *why;

        begin(&d);
        for (int m = 0; m < MODELS; m++)
            declare(&d, m, 1 + m, 0);
        for (int i = 0; i < NODES - 1; i++) {
            char models[8] = "";
            int left = 4;

            for (size_t n = 0; n < 3; n++) {
                int m = (int)random_below(&random, MODELS);

                if (m + 1 > left || random_below(&random, 4) == 0)
                    continue;
                left -= m + 1;
                serving[m]++;
                models[strlen(models)] = (char)('0' + m);
            }
            host(&d, i, models);
        }
        host(&d, NODES - 1, "");
        for (int m = 0; m < MODELS; m++)
            declare(&d, m, 1 + m,
                    serving[m] < 3 ? serving[m] : serving[m] - (int)random_below(&random, 3));
        why = ask(&d, "n8");
        for (int i = 0; i < NODES - 1; i++)
            survives &= slowly_survives(&d, cluster_node(d.core->cluster, NODES - 1),
                                        cluster_node(d.core->cluster, (size_t)i));
        if ((why == NULL) != survives)
            fail_msg("seed %d: %s", (int)seed, why ? why : "it can");
        yes += survives;
        no += !survives;
        desk_done(&d);
    }
    assert_true(yes > 20 && no > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_of_any_other_is_survived),
        cmocka_unit_test(what_else_keeps_it_awake),
        cmocka_unit_test(every_trial_begins_anew),
        cmocka_unit_test(facts_newer_than_the_tick_count),
        cmocka_unit_test(no_more_are_woken_than_may_be_awake),
        cmocka_unit_test(agrees_with_the_slow_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
