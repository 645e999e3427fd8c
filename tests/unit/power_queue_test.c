/* The queue of calls to power drivers: how many run at once, of which node and group. */
#include "tests/unit/power_world.h"

#include "proto/base/array.h"

/* Fails when another run is inside the same lock. */
#define LOCKED(lock) \
    "mkdir " lock " || exit 2; sleep 0.03; rmdir " lock "; echo '{\"power\":\"on\"}'"

static void one_call_per_node_in_order(void **state)
{
    char text[8192];
    struct world w;

    (void)state;
    world_init(&w, "echo $1 >>order-$2;" LOCKED("lock-$2"));
    for (int i = 0; i < 3; i++) {
        call_for(&w, "a1", POWER_WAKE, LONG_MS);
        call_for(&w, "b2", POWER_FORCE_OFF, LONG_MS);
        call_for(&w, "b2", POWER_WAKE, LONG_MS);
    }
    wait_all(&w);
    assert_int_equal(w.n_accepted, 9);
    assert_string_equal(read_file(&w, "order-a1", text), "on\non\non\n");
    assert_string_equal(read_file(&w, "order-b2", text),
                        "force-off\non\nforce-off\non\nforce-off\non\n");
    world_done(&w);
}

static void one_call_per_group(void **state)
{
    char node[16];
    struct world w;

    (void)state;
    world_init(&w, LOCKED("lock"));
    set(&w.pool.driver.settings, "group", "chassis-1");
    for (int i = 0; i < 6; i++) {
        snprintf(node, sizeof(node), "n%d", i);
        call_for(&w, node, POWER_WAKE, LONG_MS);
    }
    wait_all(&w);
    assert_int_equal(w.n_accepted, 6);
    world_done(&w);
}

static bool three_started(struct world *w)
{
    return count_files(w, "started-") >= 3;
}

static bool sixteen_started(struct world *w)
{
    return count_files(w, "started-") >= power_exec.calls_most;
}

#define UNTIL_GO ": >started-$2; while [ ! -e go ]; do sleep 0.02; done; echo '{\"power\":\"on\"}'"

static void a_group_may_take_several(void **state)
{
    char node[16];
    struct world w;

    (void)state;
    world_init(&w, UNTIL_GO);
    set(&w.pool.driver.settings, "group", "pdu");
    set(&w.pool.driver.settings, "groupCalls", "3");
    for (int i = 0; i < 5; i++) {
        snprintf(node, sizeof(node), "n%d", i);
        call_for(&w, node, POWER_WAKE, LONG_MS);
    }
    wait_for(&w, three_started);
    assert_int_equal(count_files(&w, "started-"), 3);
    write_file(&w, "go", 0600, "");
    wait_all(&w);
    assert_int_equal(w.n_accepted, 5);
    w.settings[1].value = (char *)"many";
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "groupCalls"));
    world_done(&w);
}

static void a_node_names_its_group_by_label(void **state)
{
    char node[16], json[256], text[8192];
    struct world w;

    (void)state;
    world_init(&w, "g=$(sed 's/.*power-group\":\"\\([^\"]*\\).*/\\1/'); echo $g >>groups;" LOCKED(
                       "lock-$g"));
    for (int i = 0; i < 6; i++) {
        const struct power_request r = {
            .node = node,
            .op = "",
            .action = POWER_WAKE,
            .attempt = 1,
            .pool = &w.pool,
            .node_json = json,
            .deadline_ms = clock_boot_ms() + LONG_MS,
        };

        snprintf(node, sizeof(node), "n%d", i);
        snprintf(json, sizeof(json), "{\"labels\":{\"" POWER_GROUP_LABEL "\":\"rack%d\"}}", i % 2);
        w.waiting++;
        power_call(w.p, &r, on_answer, &w);
    }
    wait_all(&w);
    assert_int_equal(w.n_accepted, 6);
    read_file(&w, "groups", text);
    assert_int_equal(strlen(text), 6 * strlen("rack0\n"));
    assert_non_null(strstr(text, "rack0\n"));
    assert_non_null(strstr(text, "rack1\n"));
    world_done(&w);
}

static void sixteen_in_all_and_late_ones_are_told_so(void **state)
{
    char node[16];
    struct world w;

    (void)state;
    world_init(&w, UNTIL_GO);
    for (int i = 0; i < 20; i++) {
        snprintf(node, sizeof(node), "n%d", i);
        call_for(&w, node, POWER_WAKE, LONG_MS);
    }
    call_for(&w, "late", POWER_PROBE, 50);
    wait_for(&w, sixteen_started);
    assert_int_equal(count_files(&w, "started-"), power_exec.calls_most);
    while (w.n_busy == 0) /* "late" is answered while all others go on */
        wait_for(&w, sixteen_started);
    assert_string_equal(w.told.node, "late");
    assert_non_null(strstr(w.told.message, "time passed"));
    write_file(&w, "go", 0600, "");
    wait_all(&w);
    assert_int_equal(w.n_accepted, 20);
    assert_int_equal(count_files(&w, "started-late"), 0);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_call_per_node_in_order),
        cmocka_unit_test(one_call_per_group),
        cmocka_unit_test(a_group_may_take_several),
        cmocka_unit_test(a_node_names_its_group_by_label),
        cmocka_unit_test(sixteen_in_all_and_late_ones_are_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
