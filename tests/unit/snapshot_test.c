/* What a snapshot says of a node: how it boots, and what of it is not the planner's to give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "controller/placement/room.h"
#include "controller/state/cluster.h"
#include "controller/state/snapshot_build.h"
#include "proto/base/array.h"

/* A pool of all nodes with this `boot`. */
static struct manifest *a_pool(const char *boot)
{
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:{s:o}}", "apiVersion", MANIFEST_API_VERSION,
                            "kind", "PowerPool", "metadata", "name", "rack", "spec", "boot",
                            json_loads(boot, 0, NULL));

    if (manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s", e.text);
    json_decref(doc);
    return m;
}

/* The curve of a node of 100 to 300 W that has been woken so many times. */
static struct node_curve curve_in(const char *boot, uint32_t wakes)
{
    const struct snapshot_moment moment = { .now_ms = 1000, .wall_ms = 1000 };
    struct cluster *c = cluster_new();
    AUTO(manifest) struct manifest *m = a_pool(boot);
    AUTO(manifest) struct manifest *policy = NULL;
    AUTO(snapshot) struct snapshot *s = NULL;
    struct node *n = node_add(c, "n");
    struct node_curve curve;
    json_t *doc = json_pack("{s:s, s:s, s:{s:s}, s:{}}", "apiVersion", MANIFEST_API_VERSION, "kind",
                            "PowerPolicy", "metadata", "name", "default", "spec");

    assert_int_equal(manifest_from_json(doc, "test", &policy, NULL), 0);
    json_decref(doc);
    c->defaults = TAKE(policy);
    n->curve = node_curve_linear(100, 300);
    n->curve.weight[0] = 1; /* its own: a pool's curve does not replace it */
    n->curve.wakes = wakes;
    n->inventory.known = true;
    (void)pool_put(c, m);
    s = snapshot_build(c, &moment);
    assert_int_equal(s->n_nodes, 1);
    curve = s->nodes[0].curve;
    cluster_free(c);
    return curve;
}

static void declared_boots_are_believed_until_one_was_seen(void **state)
{
    const struct node_curve assumed = node_curve_linear(100, 300);
    struct node_curve c = curve_in("{}", 0);

    (void)state;
    assert_true(c.boot_s == assumed.boot_s && c.cycle_j == assumed.cycle_j);
    c = curve_in("{\"time\":\"12s\"}", 0); /* a tenth of the time, a tenth of the energy */
    assert_true(fabs(c.boot_s - 12) < 1e-9 && fabs(c.cycle_j - assumed.cycle_j / 10) < 1e-6);
    c = curve_in("{\"time\":\"12s\",\"energy\":\"77J\"}", 0);
    assert_true(fabs(c.boot_s - 12) < 1e-9 && fabs(c.cycle_j - 77) < 1e-9);
    c = curve_in("{\"time\":\"12s\"}", 1);
    assert_true(c.boot_s == assumed.boot_s && c.cycle_j == assumed.cycle_j);
    c = curve_in("{\"energy\":\"77J\"}", 1); /* which nothing measures */
    assert_true(c.boot_s == assumed.boot_s && fabs(c.cycle_j - 77) < 1e-9);
}

static struct manifest *a_model(const char *name)
{
    struct manifest *m = NULL;
    struct err e = ERR_INIT;
    json_t *doc =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:{s:s, s:s, s:{s:i}}}}", "apiVersion",
                  MANIFEST_API_VERSION, "kind", "ServedModel", "metadata", "name", name, "spec",
                  "runtime", "r", "resources", "cpu", "500m", "memory", "1Gi", "gpu", "count", 1);

    if (manifest_from_json(doc, "test", &m, &e) < 0)
        fail_msg("%s", e.text);
    json_decref(doc);
    return m;
}

static void replicas_of_deleted_models_hold_what_they_have(void **state)
{
    const struct snapshot_moment moment = { .now_ms = 1000, .wall_ms = 1000 };
    struct cluster *c = cluster_new();
    AUTO(manifest) struct manifest *gone = a_model("gone"), *stays = a_model("stays");
    AUTO(snapshot) struct snapshot *s = NULL;
    struct node *n = node_add(c, "n");
    struct model *m = model_put(c, gone), *other = model_put(c, stays);
    struct room room;
    struct room_gpu gpus[2];
    uint64_t mask;

    (void)state;
    n->inventory.known = true;
    n->inventory.cpu_milli = 4000;
    n->inventory.memory_bytes = (int64_t)8 << 30;
    n->inventory.n_gpus = 2;
    n->inventory.gpus = xcalloc(2, sizeof(*n->inventory.gpus));
    for (int g = 0; g < 2; g++)
        n->inventory.gpus[g] = (struct snap_gpu){ xstrdup("a"), (uint64_t)8 << 30 };
    replica_set_revision(replica_add(c, "u1", m, n), m->revision);
    replica_set_revision(replica_add(c, "u2", other, n), other->revision);
    n->replicas[0]->gpu_mask = 1;
    n->replicas[1]->gpu_mask = 2;
    m->deleting = true;
    s = snapshot_build(c, &moment);
    assert_int_equal(s->n_replicas, 1);
    assert_int_equal(s->nodes[0].cpu_milli, 3500);
    assert_int_equal(s->nodes[0].n_held, 1);
    room_init(&room, &s->nodes[0], gpus);
    assert_true(room_fits(&room, &s->nodes[0], s->models[0].spec, &mask) && mask == 2);
    room_take(&room, &s->nodes[0], s->models[0].spec, mask);
    assert_false(room_fits(&room, &s->nodes[0], s->models[0].spec, &mask));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_boots_are_believed_until_one_was_seen),
        cmocka_unit_test(replicas_of_deleted_models_hold_what_they_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
