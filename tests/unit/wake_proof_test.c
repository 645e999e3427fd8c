/* Which proof of waking holds: for 90 days, for the same machine, and what stays of it in the store
 * and is shown. */
#include "tests/unit/core_world.h"

#include "controller/reconcile/wake_test.h"
#include "controller/state/rows.h"
#include "controller/state/wake_rows.h"

#define WALL INT64_C(1760000000000)
#define DAY_MS INT64_C(86400000)

static struct machine_identity machine(const char *mac_1, const char *mac_2, const char *id,
                                       const char *uuid)
{
    const char *macs[] = { mac_1, mac_2 };

    return machine_identity_of(macs, mac_2 ? 2 : 1, id, uuid);
}

static void holds_for_ninety_days(void **unused)
{
    struct machine_identity m = machine("aa", "bb", "id", "uuid");
    struct wake_proof p = { 0 };

    (void)unused;
    wake_proof_renew(&p, &m, WALL);
    assert_null(wake_proof_void(&p, &m, WALL));
    assert_null(wake_proof_void(&p, &m, WALL + 90 * DAY_MS));
    assert_non_null(strstr(wake_proof_void(&p, &m, WALL + 90 * DAY_MS + 1), "90 days ago"));
    assert_null(wake_proof_void(&p, &m, WALL - DAY_MS)); /* a clock that was set a little */
    assert_non_null(strstr(wake_proof_void(&p, &m, WALL - DAY_MS - 1), "still to come"));
}

static void holds_for_one_machine(void **unused)
{
    struct machine_identity m = machine("aa", "bb", "id", "uuid"), other;
    struct wake_proof p = { 0 };

    (void)unused;
    wake_proof_renew(&p, &m, WALL);
    other = machine("bb", "aa", "id", "uuid"); /* in another order */
    assert_null(wake_proof_void(&p, &other, WALL));
    other = machine("aa", "cc", "id", "uuid");
    assert_non_null(strstr(wake_proof_void(&p, &other, WALL), "network cards"));
    other = machine("aa", NULL, "id", "uuid");
    assert_non_null(strstr(wake_proof_void(&p, &other, WALL), "network cards"));
    other = machine("aa", "bb", "id", "uuid-2");
    assert_non_null(strstr(wake_proof_void(&p, &other, WALL), "product UUID"));
    other = machine("aa", "bb", "id-2", "uuid");
    assert_non_null(strstr(wake_proof_void(&p, &other, WALL), "machine id"));
    other = machine("aa", "bb", "id", ""); /* its agent may not read it any more: absent */
    assert_null(wake_proof_void(&p, &other, WALL));
}

static void renewed(void **unused)
{
    struct machine_identity m = machine("aa", NULL, "id", ""),
                            other = machine("cc", NULL, "id", "");
    struct wake_proof p = { .wall_ms = 1, .tested_wall_ms = 1, .cycles = 3, .identity = m };

    (void)unused;
    wake_proof_renew(&p, &m, WALL);
    assert_int_equal(p.wall_ms, WALL);
    assert_int_equal(p.cycles, 3);
    wake_proof_renew(&p, &other, WALL); /* nothing is known of this one's test */
    assert_int_equal(p.cycles, 0);
    assert_int_equal(p.tested_wall_ms, 0);
    assert_null(wake_proof_void(&p, &other, WALL));
}

static void kept(void **unused)
{
    struct wake_proof p = { .wall_ms = WALL,
                            .identity = machine("aa", "bb", "id", "uuid"),
                            .tested_wall_ms = WALL - 1,
                            .cycles = 3,
                            .sleep = { 4000, 5000 },
                            .wake = { 41000, 52000 },
                            .metered = 2,
                            .joules = 812.5 },
                      back = { 0 };
    json_t *row = wake_proof_to_row(&p),
           *odd = json_pack("{s:s, s:i}", "wallMs", "x", "cycles", -1);

    (void)unused;
    wake_proof_from_row(&back, row);
    assert_memory_equal(&back, &p, sizeof(p));
    wake_proof_from_row(&back, odd);
    assert_int_equal(back.wall_ms, 0);
    assert_int_equal(back.cycles, 0);
    json_decref(row);
    json_decref(odd);
}

static void times(void **unused)
{
    static const uint32_t ms[] = { 9, 0, 3, 5, 7 }; /* the second was not measured */
    struct wake_times t = wake_times_of(ms, 5);

    (void)unused;
    assert_int_equal(t.p50_ms, 5); /* the lower median */
    assert_int_equal(t.worst_ms, 9);
    t = wake_times_of(ms + 1, 1);
    assert_int_equal(t.p50_ms, 0);
    assert_int_equal(t.worst_ms, 0);
}

static void tests_are_kept(void **unused)
{
    struct wake_test t = { .state = WAKE_TEST_RUNNING,
                           .number = 7,
                           .cycles = 3,
                           .done = 1,
                           .by = "alice",
                           .text = "paused by a person",
                           .begun_wall_ms = WALL,
                           .sleep_ms = { 4000, 0, 5000 },
                           .wake_ms = { 41000 },
                           .metered = 1,
                           .joules = 17.5 },
                     back = { 0 };
    json_t *row = wake_test_to_row(&t);

    (void)unused;
    wake_test_from_row(&back, row);
    assert_memory_equal(&back, &t, sizeof(t));
    json_object_set_new(row, "done", json_integer(3)); /* that cannot be */
    wake_test_from_row(&back, row);
    assert_int_equal(back.state, WAKE_TEST_FAILED);
    json_object_set_new(row, "cycles", json_integer(1000000));
    json_object_set_new(row, "state", json_integer(99));
    wake_test_from_row(&back, row);
    assert_int_equal(back.cycles, WAKE_TEST_CYCLES_MOST);
    assert_int_equal(back.state, WAKE_TEST_FAILED);
    json_decref(row);
}

/* --- of a running controller ------------------------------------------------------------------ */

#define UNPROVEN_POOL                                                                    \
    "{" API "\"kind\":\"PowerPool\",\"metadata\":{\"name\":\"p\"},"                      \
    "\"spec\":{\"driver\":{\"type\":\"exec\",\"program\":\"/bin/true\"},\"minAwake\":0," \
    "\"spare\":0}}"

static json_t *status_of(const struct desk *d)
{
    json_t *node = controller_get(d->core, "nodes", "n", d->now_ms, d->wall_ms);
    json_t *status = json_incref(json_object_get(node, "status"));

    json_decref(node);
    return status;
}

/* The node's proof as shown: its basis, and a part of why it is not asleep. */
static void assert_shown(const struct desk *d, const char *basis, bool proven, const char *why)
{
    json_t *s = status_of(d), *proof = json_object_get(s, "wakeProof");

    assert_string_equal(json_string_value(json_object_get(proof, "basis")), basis);
    assert_int_equal(json_is_true(json_object_get(s, "wakeProven")), proven);
    assert_non_null(strstr(json_string_value(json_object_get(s, "whyNotAsleep")), why));
    if (strcmp(basis, "void") == 0)
        assert_string_equal(json_string_value(json_object_get(proof, "message")),
                            json_string_value(json_object_get(s, "whyNotAsleep")));
    json_decref(s);
}

static void report_of(struct desk *d, const char *machine_id)
{
    d->machine_id = machine_id;
    desk_report(d, "n", NULL, 0);
}

static void shown_and_asked_for(void **unused)
{
    struct desk d;
    struct node *n;

    (void)unused;
    desk_init(&d);
    assert_int_equal(desk_put(&d, UNPROVEN_POOL), 201);
    report_of(&d, "id-1");
    desk_pass(&d, 1000);
    assert_shown(&d, "none", false, "huddlectl power test");
    n = named_find(&d.core->cluster->nodes, "n");
    n->record.wake_proven = true; /* as T9 does */
    wake_proof_renew(&n->record.proof, &n->inventory.identity, d.wall_ms);
    report_of(&d, "id-1");
    assert_shown(&d, "wake", true, "");
    desk_start(&d); /* of a row, with its machine */
    n = named_find(&d.core->cluster->nodes, "n");
    assert_true(n->inventory.identity.machine_id != 0);
    report_of(&d, "id-1");
    assert_shown(&d, "wake", true, "");
    report_of(&d, "id-2"); /* another machine under its name */
    assert_shown(&d, "void", false, "machine id");
    d.wall_ms += 91 * DAY_MS;
    report_of(&d, "id-1");
    assert_shown(&d, "void", false, "90 days ago");
    assert_int_equal(desk_put(&d, DESK_POOL), 200); /* a person vouches */
    report_of(&d, "id-1");
    assert_shown(&d, "pool", true, "");
    desk_done(&d);
}

/* What an earlier version stored has no time and no machine: its last sleep counts. */
static void rows_of_earlier_versions(void **unused)
{
    struct node n = { 0 };
    json_t *row = json_pack("{s:{s:b, s:I, s:[I, I]}}", "record", "wakeProven", 1, "enteredWallMs",
                            (json_int_t)5, "slept", (json_int_t)6, (json_int_t)WALL);

    (void)unused;
    node_from_row(&n, row);
    assert_true(n.record.wake_proven);
    assert_int_equal(n.record.proof.wall_ms, WALL);
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_for_ninety_days),
        cmocka_unit_test(holds_for_one_machine),
        cmocka_unit_test(renewed),
        cmocka_unit_test(kept),
        cmocka_unit_test(times),
        cmocka_unit_test(tests_are_kept),
        cmocka_unit_test(shown_and_asked_for),
        cmocka_unit_test(rows_of_earlier_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
