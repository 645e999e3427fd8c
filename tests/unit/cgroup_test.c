/* cgroup: v2, v1 and hybrid hosts, limits above the agent, and process groups where there is no
 * cgroup; on trees of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/sensor/cgroup.h"
#include "agent/sensor/sensors.h"
#include "tests/unit/fixture_tree.h"

static int setup(void **state)
{
    struct fixture_tree *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    fixture_tree_init(t);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture_tree_done(*state);
    free(*state);
    return 0;
}

static void check(const struct fixture_tree *t, struct cgroup_layout *layout, uint64_t cpu_ns,
                  uint64_t bytes)
{
    uint64_t got_ns, got_bytes;

    assert_int_equal(cgroup_read(t->root, "huddle/m-1", layout, &got_ns, &got_bytes), 0);
    assert_int_equal(got_ns, cpu_ns);
    assert_int_equal(got_bytes, bytes);
}

static void v2(void **state)
{
    struct fixture_tree *t = *state;
    struct cgroup_layout layout = { 0 };

    fixture_put(t, "/huddle/m-1/cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
    fixture_put(t, "/huddle/m-1/memory.current", "4096\n");
    check(t, &layout, 1500000, 4096);
    check(t, &layout, 1500000, 4096); /* by the remembered places */
}

static void v1_in_each_of_its_folders(void **state)
{
    static const char *const folders[] = { "/cpuacct", "/cpu,cpuacct", "/cpu" };
    struct fixture_tree *t = *state;

    fixture_put(t, "/memory/huddle/m-1/memory.usage_in_bytes", "8192\n");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct cgroup_layout layout = { 0 };
        char name[64];

        (void)snprintf(name, sizeof(name), "%s/huddle/m-1/cpuacct.usage", folders[i]);
        fixture_put(t, name, "77\n");
        check(t, &layout, 77, 8192);
        fixture_drop(t, name);
    }
}

static void a_hybrid_host_is_asked_for_v1_first(void **state)
{
    struct fixture_tree *t = *state;
    struct cgroup_layout layout = { 0 };

    fixture_put(t, "/unified/huddle/m-1/cpu.stat", "usage_usec 1\n");
    fixture_put(t, "/cpu,cpuacct/huddle/m-1/cpuacct.usage", "5000\n");
    fixture_put(t, "/unified/huddle/m-1/memory.current", "9\n"); /* memory is v2 here */
    check(t, &layout, 5000, 9);
    fixture_drop(t, "/cpu,cpuacct/huddle/m-1/cpuacct.usage");
    check(t, &layout, 1000, 9);
}

static void a_missing_half_is_no_reading(void **state)
{
    struct fixture_tree *t = *state;
    struct cgroup_layout layout = { 0 };
    uint64_t ns = 7, bytes = 7;

    assert_int_equal(cgroup_read(t->root, "huddle/m-1", &layout, &ns, &bytes), -ENOENT);
    fixture_put(t, "/huddle/m-1/cpu.stat", "usage_usec 1500\n"); /* no memory controller */
    assert_int_equal(cgroup_read(t->root, "huddle/m-1", &layout, &ns, &bytes), -ENOENT);
    fixture_put(t, "/huddle/m-1/memory.current", "max\n");
    assert_true(cgroup_read(t->root, "huddle/m-1", &layout, &ns, &bytes) < 0);
    fixture_put(t, "/huddle/m-1/memory.current", "1\n");
    fixture_put(t, "/huddle/m-1/cpu.stat", "usage_usec 18446744073709551615\n");
    assert_true(cgroup_read(t->root, "huddle/m-1", &layout, &ns, &bytes) < 0);
    assert_true(ns == 7 && bytes == 7);
}

static uint64_t limit(const struct fixture_tree *t, const char *self)
{
    char proc[128];

    fixture_put(t, "/proc/self/cgroup", self);
    (void)snprintf(proc, sizeof(proc), "%s/proc", t->root);
    return cgroup_cpu_limit_milli(t->root, proc);
}

static void the_tightest_limit_above_counts(void **state)
{
    struct fixture_tree *t = *state;

    assert_int_equal(limit(t, "0::/a/b\n"), 0);
    fixture_put(t, "/a/b/cpu.max", "max 100000\n");
    assert_int_equal(limit(t, "0::/a/b\n"), 0);
    fixture_put(t, "/a/cpu.max", "250000 100000\n");
    assert_int_equal(limit(t, "0::/a/b\n"), 2500);
    fixture_put(t, "/cpu.max", "400000 100000\n"); /* of a container: its own root */
    assert_int_equal(limit(t, "0::/a/b\n"), 2500);
    assert_int_equal(limit(t, "0::/\n"), 4000);
    fixture_put(t, "/a/b/cpu.max", "50000 100000\n");
    assert_int_equal(limit(t, "0::/a/b\n"), 500);
}

static void limits_of_v1(void **state)
{
    struct fixture_tree *t = *state;
    static const char self[] = "3:cpu,cpuacct:/docker/1\n0::/\n";

    fixture_put(t, "/cpu/docker/1/cpu.cfs_quota_us", "-1\n");
    fixture_put(t, "/cpu/docker/1/cpu.cfs_period_us", "100000\n");
    assert_int_equal(limit(t, self), 0);
    fixture_put(t, "/cpu/cpu.cfs_quota_us", "150000\n"); /* mounted at the container's own */
    fixture_put(t, "/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(limit(t, self), 1500);
    fixture_put(t, "/cpu/cpu.cfs_period_us", "0\n");
    assert_int_equal(limit(t, self), 0);
}

#define STAT(pid, group, ticks, pages)                                         \
#pid " (serve (x)) S 1 " #group " 1 0 -1 1 1 2 3 4 " #ticks " 0 9 9 20 0 " \
         "3 0 123 98765432 " #pages " 1 1\n"

static void process_groups_are_summed(void **state)
{
    struct fixture_tree *t = *state;
    struct process_group groups[] = { { .pgid = 50 }, { .pgid = 60 }, { .pgid = 70 } };
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

    fixture_put(t, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(t, "/51/stat", STAT(51, 50, 5, 1));
    fixture_put(t, "/60/stat", STAT(60, 60, 1, 1));
    fixture_put(t, "/99/stat", STAT(99, 99, 1000, 1));
    fixture_put(t, "/0/stat", STAT(0, 70, 1, 1));    /* no process has this name */
    fixture_put(t, "/71x/stat", STAT(71, 70, 1, 1)); /* nor this */
    fixture_put(t, "/72/stat", "garbage\n");
    assert_int_equal(process_groups_read(t->root, groups, 3), 0);
    assert_true(groups[0].found && groups[1].found && !groups[2].found);
    assert_int_equal(groups[0].cpu_ns, 15 * tick_ns);
    assert_int_equal(groups[0].memory_bytes, 3 * (uint64_t)sysconf(_SC_PAGESIZE));
    assert_int_equal(groups[1].cpu_ns, tick_ns);
    assert_int_equal(process_groups_read("/nowhere", groups, 3), -ENOENT);
}

static void each_group_by_what_it_has(void **state)
{
    struct fixture_tree *t = *state;
    AUTO(sensors) struct sensors *s = NULL;
    struct sensor_group groups[] = { { .id = 1, .cgroup = "huddle/m-1", .pgid = 60 },
                                     { .id = 2, .cgroup = "huddle/m-2", .pgid = 50 },
                                     { .id = 3, .cgroup = NULL, .pgid = 80 },
                                     { .id = 4 } };
    struct sample out = { 0 };
    struct sensors_options options = {
        .proc_root = t->root, .cgroup_root = t->root, .nvml_library = "", .power_model = "none"
    };

    fixture_put(t, "/huddle/m-1/cpu.stat", "usage_usec 1500\n");
    fixture_put(t, "/huddle/m-1/memory.current", "4096\n");
    fixture_put(t, "/60/stat", STAT(60, 60, 1, 1));
    fixture_put(t, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(t, "/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\n");
    fixture_put(t, "/meminfo", "MemTotal: 10 kB\nMemAvailable: 4 kB\n");
    assert_int_equal(sensors_new(&options, &s, NULL), 0);
    sensors_read(s, groups, 4, &out);
    assert_int_equal(out.n_groups, 4);
    assert_true(out.groups[0].valid && out.groups[0].cpu_ns == 1500000);
    assert_true(out.groups[1].valid && out.groups[1].memory_bytes > 0); /* no such cgroup */
    assert_true(!out.groups[2].valid && !out.groups[3].valid);
    assert_int_equal(out.groups[3].id, 4);
    assert_true(out.cpu.valid && out.memory.valid && !out.pressure.known);
    assert_int_equal(out.memory.used_bytes, 6 * 1024);
    sample_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(v2, setup, teardown),
        cmocka_unit_test_setup_teardown(v1_in_each_of_its_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hybrid_host_is_asked_for_v1_first, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_half_is_no_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tightest_limit_above_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_of_v1, setup, teardown),
        cmocka_unit_test_setup_teardown(process_groups_are_summed, setup, teardown),
        cmocka_unit_test_setup_teardown(each_group_by_what_it_has, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
