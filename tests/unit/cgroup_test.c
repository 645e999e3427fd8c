/* What replicas use: cgroups on v2, v1 and hybrid hosts, process groups where those do not count,
 * and limits above the agent; on trees of files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/sensor/cgroup.h"
#include "agent/sensor/replica_meter.h"
#include "tests/unit/fixture_tree.h"

#define WALK_EVERY 10 /* looks, as in process_group.c */

struct rig {
    struct fixture_tree tree;
    char folder[3][128];
    char *items[3];
    struct string_list folders; /* v1 cpuacct, v1 memory, v2 */
    struct replica_meters *meters;
    struct sensor_group group;
    struct sample sample;
    int64_t now_ms;
};

static int setup(void **state)
{
    static const char *const names[] = { "/cpuacct/m", "/memory/other/m", "/unified/m" };
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    fixture_tree_init(&r->tree);
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(r->folder[i], sizeof(r->folder[i]), "%s%s", r->tree.root, names[i]);
        r->items[i] = r->folder[i];
    }
    r->folders = (struct string_list){ r->items, 3 };
    r->group = (struct sensor_group){ .id = 1, .folders = &r->folders, .pgid = 50 };
    r->meters = replica_meters_new(r->tree.root);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    replica_meters_free(r->meters);
    sample_done(&r->sample);
    fixture_tree_done(&r->tree);
    free(r);
    return 0;
}

static const struct sample_group *look(struct rig *r)
{
    sample_clear(&r->sample);
    r->sample.boot_ms = r->now_ms += 5000;
    replica_meters_read(r->meters, &r->group, 1, &r->sample);
    assert_int_equal(r->sample.n_groups, 1);
    assert_int_equal(r->sample.groups[0].id, r->group.id);
    return &r->sample.groups[0];
}

static void check(struct rig *r, uint64_t cpu_ns, uint64_t bytes)
{
    const struct sample_group *g = look(r);

    assert_true(g->valid);
    assert_int_equal(g->cpu_ns, cpu_ns);
    assert_int_equal(g->memory_bytes, bytes);
}

static void v2(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\nuser_usec 1000\n");
    fixture_put(&r->tree, "/unified/m/memory.current", "4096\n");
    check(r, 1500000, 4096);
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1600\nuser_usec 1000\n");
    check(r, 1600000, 4096); /* by the open file */
}

static void memory_is_not_read_at_every_look(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\n");
    fixture_put(&r->tree, "/unified/m/memory.current", "4096\n");
    check(r, 1500000, 4096);
    fixture_put(&r->tree, "/unified/m/memory.current", "8192\n");
    check(r, 1500000, 4096); /* 5 s later: not yet */
    check(r, 1500000, 8192);
}

static void v1_before_v2_and_each_quantity_where_it_is(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/cpuacct/m/cpuacct.usage", "5000\n");
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1\n");
    fixture_put(&r->tree, "/memory/other/m/memory.usage_in_bytes", "8192\n");
    check(r, 5000, 8192);
}

#define STAT(pid, group, ticks, pages)                                         \
#pid " (serve (x)) S 1 " #group " 1 0 -1 1 1 2 3 4 " #ticks " 0 9 9 20 0 " \
         "3 0 123 98765432 " #pages " 1 1\n"

static uint64_t tick_ns(void)
{
    return 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
}

static uint64_t page(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static void memory_of_processes_where_no_cgroup_counts_it(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\n"); /* no memory controller */
    assert_false(look(r)->valid);
    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    check(r, 1500000, 2 * page());
}

static void cpu_time_is_never_taken_from_another_counter(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    check(r, 10 * tick_ns(), 2 * page());
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\n");
    fixture_put(&r->tree, "/unified/m/memory.current", "4096\n");
    for (int i = 0; i < 40; i++) /* the memory is looked for again, the CPU time is not */
        (void)look(r);
    check(r, 10 * tick_ns(), 4096);
    r->group.pgid = 60; /* started anew */
    fixture_put(&r->tree, "/60/stat", STAT(60, 60, 3, 1));
    check(r, 1500000, 4096);
}

static void a_cgroup_that_stops_counting_is_no_reading(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\n");
    fixture_put(&r->tree, "/unified/m/memory.current", "4096\n");
    check(r, 1500000, 4096);
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 18446744073709551615\n");
    assert_false(look(r)->valid);
    fixture_put(&r->tree, "/unified/m/cpu.stat", "garbage\n");
    assert_false(look(r)->valid);
}

static void nor_from_the_processes_when_it_fails(void **state)
{
    struct rig *r = *state;

    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2)); /* read for the memory */
    fixture_put(&r->tree, "/unified/m/cpu.stat", "usage_usec 1500\n");
    check(r, 1500000, 2 * page());
    fixture_put(&r->tree, "/unified/m/cpu.stat", "garbage\n");
    assert_false(look(r)->valid);
}

static void process_groups_are_summed(void **state)
{
    struct rig *r = *state;

    r->group.folders = NULL;
    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(&r->tree, "/51/stat", STAT(51, 50, 5, 1));
    fixture_put(&r->tree, "/99/stat", STAT(99, 99, 1000, 1));
    fixture_put(&r->tree, "/0/stat", STAT(0, 50, 1, 1));    /* no process has this name */
    fixture_put(&r->tree, "/71x/stat", STAT(71, 50, 1, 1)); /* nor this */
    fixture_put(&r->tree, "/72/stat", "garbage\n");
    check(r, 15 * tick_ns(), 3 * page());
    fixture_put(&r->tree, "/51/stat", STAT(51, 50, 6, 1));
    check(r, 16 * tick_ns(), 3 * page());
}

static void processes_come_and_go(void **state)
{
    struct rig *r = *state;
    const struct sample_group *g;

    r->group.folders = NULL;
    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    check(r, 10 * tick_ns(), 2 * page());
    fixture_put(&r->tree, "/52/stat", STAT(52, 50, 7, 1));
    for (int i = 0; i < WALK_EVERY; i++)
        g = look(r);
    assert_int_equal(g->cpu_ns, 17 * tick_ns()); /* found by the next walk at the latest */
    fixture_put(&r->tree, "/52/stat", STAT(52, 99, 7, 1)); /* the number is another's now */
    check(r, 10 * tick_ns(), 2 * page());
    fixture_put(&r->tree, "/50/stat", "");
    assert_false(look(r)->valid);
}

/* A number that belonged to a stranger and is used again is found by a walk over all. */
static void numbers_are_used_again(void **state)
{
    struct rig *r = *state;
    const struct sample_group *g;

    r->group.folders = NULL;
    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(&r->tree, "/52/stat", STAT(52, 99, 7, 1));
    check(r, 10 * tick_ns(), 2 * page());
    fixture_put(&r->tree, "/52/stat", STAT(52, 50, 7, 1));
    for (int i = 0; i < 10 * WALK_EVERY; i++)
        g = look(r);
    assert_int_equal(g->cpu_ns, 17 * tick_ns());
}

static void many_replicas_keep_few_files_open(void **state)
{
    struct rig *r = *state;
    static struct sensor_group groups[400];
    char name[64], text[128];

    for (int i = 0; i < 400; i++) {
        int pid = 1000 + i;
        groups[i] = (struct sensor_group){ .id = (uint64_t)pid, .pgid = pid };
        (void)snprintf(name, sizeof(name), "/%d/stat", pid);
        (void)snprintf(text, sizeof(text),
                       "%d (x) S 1 %d 1 0 -1 1 1 2 3 4 %d 0 9 9 20 0 3 0 1 9 1 1 1\n", pid, pid, i);
        fixture_put(&r->tree, name, text);
    }
    for (int round = 0; round < 3; round++) {
        sample_clear(&r->sample);
        replica_meters_read(r->meters, groups, 400, &r->sample);
        for (size_t i = 0; i < 400; i++)
            assert_true(r->sample.groups[i].valid && r->sample.groups[i].cpu_ns == i * tick_ns());
    }
    int fd = dup(STDIN_FILENO);
    assert_true(fd >= 0 && fd < 300);
    (void)close(fd);
    sample_clear(&r->sample);
    replica_meters_read(r->meters, groups, 1, &r->sample); /* the others are forgotten */
    fd = dup(STDIN_FILENO);
    assert_true(fd >= 0 && fd < 20);
    (void)close(fd);
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
    struct fixture_tree *t = &((struct rig *)*state)->tree;

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
    struct fixture_tree *t = &((struct rig *)*state)->tree;
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

/* All sensors together, on the tree's own /proc. */
static void one_entry_for_all(void **state)
{
    struct rig *r = *state;
    AUTO(sensors) struct sensors *s = NULL;
    struct sensor_group groups[] = { r->group, { .id = 2, .pgid = 80 }, { .id = 3 } };
    struct sensors_options options = { .proc_root = r->tree.root,
                                       .nvml_library = "",
                                       .power_model = "none" };

    fixture_put(&r->tree, "/50/stat", STAT(50, 50, 10, 2));
    fixture_put(&r->tree, "/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\n");
    fixture_put(&r->tree, "/meminfo", "MemTotal: 10 kB\nMemAvailable: 4 kB\n");
    assert_int_equal(sensors_new(&options, &s, NULL), 0);
    sensors_read(s, groups, 3, &r->sample);
    assert_int_equal(r->sample.n_groups, 3);
    assert_true(r->sample.groups[0].valid);
    assert_true(!r->sample.groups[1].valid && !r->sample.groups[2].valid);
    assert_true(r->sample.groups[1].id == 2 && r->sample.groups[2].id == 3);
    assert_true(r->sample.cpu.valid && r->sample.memory.valid && !r->sample.pressure.known);
    assert_int_equal(r->sample.memory.used_bytes, 6 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(v2, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_not_read_at_every_look, setup, teardown),
        cmocka_unit_test_setup_teardown(v1_before_v2_and_each_quantity_where_it_is, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(memory_of_processes_where_no_cgroup_counts_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cpu_time_is_never_taken_from_another_counter, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cgroup_that_stops_counting_is_no_reading, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nor_from_the_processes_when_it_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(process_groups_are_summed, setup, teardown),
        cmocka_unit_test_setup_teardown(processes_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_are_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(many_replicas_keep_few_files_open, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tightest_limit_above_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_of_v1, setup, teardown),
        cmocka_unit_test_setup_teardown(one_entry_for_all, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
