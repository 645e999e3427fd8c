/* What a snapshot says of a node whose pool declares how it boots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "controller/state/cluster.h"
#include "controller/state/snapshot_build.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_boots_are_believed_until_one_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
