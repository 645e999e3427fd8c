/* procfs: the kernel's texts as old and new kernels write them, and what is none of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/sensor/procfs.h"
#include "proto/base/array.h"

#define TICK_NS 10000000ull /* 100 a second */

static void cpu_time_is_told_apart(void **state)
{
    static const char text[] = "cpu  100 20 30 4000 500 6 7 88 90 10\n"
                               "cpu0 50 10 15 2000 250 3 3 44 45 5\n"
                               "cpu3 50 10 15 2000 250 3 4 44 45 5\n"
                               "intr 123456 0 0\nctxt 1\n";
    struct sample_cpu cpu;

    (void)state;
    assert_int_equal(procfs_stat(text, 100, &cpu), 0);
    assert_true(cpu.valid);
    assert_int_equal(cpu.online, 2); /* lines, not the highest number */
    assert_int_equal(cpu.times.busy_ns,
                     (100 + 20 + 30 + 6 + 7) * TICK_NS); /* user holds guest already */
    assert_int_equal(cpu.times.idle_ns, 4000 * TICK_NS);
    assert_int_equal(cpu.times.iowait_ns, 500 * TICK_NS);
    assert_int_equal(cpu.times.steal_ns, 88 * TICK_NS);
    assert_int_equal(cpu.times.guest_ns, 100 * TICK_NS);
}

static void each_cpu_for_itself(void **state)
{
    static const char text[] = "cpu  100 20 30 4000 500 6 7 88 90 10\n"
                               "cpu0 50 10 15 2000 250 2 3 40 45 5\n"
                               "cpu3 50 10 15 2000 250 4 4 48 45 5\n"
                               "intr 123456 0 0\ncpu7 1 1 1 1\n";
    struct sample_one_cpu cpus[3] = { 0 };

    (void)state;
    assert_int_equal(procfs_cpus(text, 100, cpus, ARRAY_LEN(cpus)), 3);
    assert_int_equal(cpus[0].number, 0);
    assert_int_equal(cpus[1].number, 3);
    assert_int_equal(cpus[1].times.busy_ns, (50 + 10 + 15 + 4 + 4) * TICK_NS);
    assert_int_equal(cpus[1].times.idle_ns, 2000 * TICK_NS);
    assert_int_equal(cpus[1].times.iowait_ns, 250 * TICK_NS);
    assert_int_equal(cpus[1].times.steal_ns, 48 * TICK_NS);
    assert_int_equal(cpus[1].times.guest_ns, 50 * TICK_NS);
    assert_int_equal(cpus[2].number, 7);
    assert_int_equal(procfs_cpus(text, 100, cpus, 1), 1);
    assert_int_equal(procfs_cpus(text, 0, cpus, 1), 0);
}

/* Each of these lines tells nothing; the CPUs around them are told all the same. */
static void odd_lines_of_one_cpu(void **state)
{
    static const char *const lines[] = { "cpu1 1 2 3",
                                         "cpu1",
                                         "cpu1 ",
                                         "cpu1 x 2 3 4",
                                         "cpu1 -1 2 3 4",
                                         "cpu1x 1 2 3 4",
                                         "cpu1.5 1 2 3 4",
                                         "cpu1 99999999999999999999 2 3 4",
                                         "cpu4294967296 1 2 3 4",
                                         "cpu99999999999999999999 1 2 3 4",
                                         "cpu0 1 2 3 4",
                                         "cpux 1 2 3 4",
                                         " cpu1 1 2 3 4",
                                         "" };
    char text[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct sample_one_cpu cpus[4] = { 0 };
        size_t n;

        (void)snprintf(text, sizeof(text), "cpu  1 2 3 4\ncpu0 5 0 0 0\n%s\ncpu2 6 0 0 0\n",
                       lines[i]);
        n = procfs_cpus(text, 100, cpus, ARRAY_LEN(cpus));
        if (n != 2 || cpus[0].times.busy_ns != 5 * TICK_NS || cpus[1].number != 2 ||
            cpus[1].times.busy_ns != 6 * TICK_NS)
            fail_msg("\"%s\": %zu CPUs", lines[i], n);
    }
}

static void kernels_before_steal_and_guest(void **state)
{
    struct sample_cpu cpu;

    (void)state;
    assert_int_equal(procfs_stat("cpu  1 2 3 4\ncpu0 1 2 3 4\n", 100, &cpu), 0);
    assert_int_equal(cpu.times.busy_ns, 6 * TICK_NS);
    assert_int_equal(cpu.times.steal_ns, 0);
    assert_int_equal(procfs_stat("cpu  1 2 3\ncpu0 1 2 3\n", 100, &cpu), -EINVAL);
}

/* 512 CPUs that idle for more than a year: the sum is above 2^64 / 10 ns. */
static void large_machines_count_on(void **state)
{
    static const char text[] = "cpu  1 0 0 1700000000000 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n";
    static const char wrap[] = "cpu  1 0 0 1900000000000 0 0 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0 0 0\n";
    struct sample_cpu cpu;

    (void)state;
    assert_int_equal(procfs_stat(text, 100, &cpu), 0);
    assert_true(cpu.times.idle_ns == 17000000000000000000ull);
    assert_int_equal(procfs_stat(wrap, 100, &cpu), 0);
    assert_true(cpu.times.idle_ns ==
                (uint64_t)(1900000000000ull * TICK_NS)); /* begins at 0 again */
}

static void what_is_no_stat(void **state)
{
    static const char *const texts[] = { "",
                                         "cpu",
                                         "cpu ",
                                         "cpu  1 2 x 4\ncpu0 1\n",
                                         "cpu  1 2 3 4\n", /* no CPU */
                                         "cpu  -1 2 3 4\ncpu0 1\n",
                                         "cpu0 1 2 3 4\n",
                                         "cpu  99999999999999999999 2 3 4\ncpu0 1\n",
                                         "xcpu  1 2 3 4\ncpu0 1\n" };
    struct sample_cpu cpu = { .online = 7 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_int_equal(procfs_stat(texts[i], 100, &cpu), -EINVAL);
        assert_int_equal(cpu.online, 7);
    }
    assert_int_equal(procfs_stat("cpu  1 2 3 4\ncpu0 1\n", 0, &cpu), -EINVAL);
}

static void memory_of_new_and_old_kernels(void **state)
{
    uint64_t total, used;

    (void)state;
    assert_int_equal(procfs_meminfo("MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  600 kB\n",
                                    &total, &used),
                     0);
    assert_int_equal(total, 1000 * 1024);
    assert_int_equal(used, 400 * 1024);
    assert_int_equal(
        procfs_meminfo("MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 150 kB\n",
                       &total, &used),
        0);
    assert_int_equal(used, 700 * 1024);
}

static void memory_that_cannot_be(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = { { "", -ENOENT },
                  { "MemTotal:\n", -EINVAL },
                  { "MemTotal: x kB\n", -EINVAL },
                  { "MemTotal: 10 kB\nMemAvailable: 11 kB\n", -EINVAL },
                  { "MemTotal: 10 kB\nMemAvailable: x\n", -EINVAL },
                  { "MemTotal: 10 kB\nMemFree: 1 kB\nBuffers: 1 kB\n", -ENOENT },
                  { "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n", -ERANGE } };
    uint64_t total = 7, used = 7;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(procfs_meminfo(cases[i].text, &total, &used), cases[i].result);
        assert_true(total == 7 && used == 7);
    }
}

static void pressure(void **state)
{
    uint64_t us = 7;

    (void)state;
    assert_int_equal(procfs_pressure("some avg10=0.00 avg60=0.12 avg300=0.05 total=1234\n"
                                     "full avg10=0.00 avg60=0.00 avg300=0.00 total=99\n",
                                     &us),
                     0);
    assert_int_equal(us, 1234);
    assert_int_equal(procfs_pressure("full avg10=0.00 total=99\n", &us), -EINVAL);
    assert_int_equal(procfs_pressure("some avg10=0.00\nfull total=99\n", &us), -EINVAL);
    assert_int_equal(procfs_pressure("some total=\n", &us), -EINVAL);
    assert_int_equal(us, 1234);
}

static void keyed_lines(void **state)
{
    static const char text[] = "usage_usec_x 1\nxusage_usec 2\nusage_usec 3\nuser_usec\t4\nbad x\n";
    uint64_t value = 7;

    (void)state;
    assert_int_equal(procfs_keyed(text, "usage_usec", &value), 0);
    assert_int_equal(value, 3);
    assert_int_equal(procfs_keyed(text, "user_usec", &value), 0);
    assert_int_equal(value, 4);
    assert_int_equal(procfs_keyed(text, "usage", &value), -ENOENT);
    assert_int_equal(procfs_keyed(text, "bad", &value), -EINVAL);
}

static void cpu_limits(void **state)
{
    static const char *const bad[] = {
        "",       "maximum 1", "150000",   "150000 0",
        "0 1000", "-1 1000",   "x 100000", "18446744073709551615 1"
    };
    uint64_t milli = 7;

    (void)state;
    assert_int_equal(procfs_cpu_max("150000 100000\n", &milli), 0);
    assert_int_equal(milli, 1500);
    assert_int_equal(procfs_cpu_max("1 100000\n", &milli), 0);
    assert_int_equal(milli, 1); /* a limit all the same */
    assert_int_equal(procfs_cpu_max("max 100000\n", &milli), 0);
    assert_int_equal(milli, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(procfs_cpu_max(bad[i], &milli), -EINVAL);
}

static void process_lines(void **state)
{
    int64_t group = 7;
    uint64_t ticks = 7, pages = 7;

    (void)state;
    assert_int_equal(
        procfs_pid_stat("99 (a) (b) R 1) S 1 4321 4321 0 -1 4194560 1 2 3 4 250 77 9 9 "
                        "20 0 3 0 123456 98765432 2048 18446744073709551615 1\n",
                        &group, &ticks, &pages),
        0);
    assert_int_equal(group, 4321);
    assert_int_equal(ticks, 327); /* children that were waited for are not in it */
    assert_int_equal(pages, 2048);
    assert_int_equal(
        procfs_pid_stat("99 (a) S 1 4321 4321 0 -1 1 1 2 3 4 250\n", &group, &ticks, &pages),
        -EINVAL);
    assert_int_equal(procfs_pid_stat("99 a S 1 2\n", &group, &ticks, &pages), -EINVAL);
    assert_int_equal(procfs_pid_stat("", &group, &ticks, &pages), -EINVAL);
}

static void cgroup_paths(void **state)
{
    static const char hybrid[] = "12:devices:/a\n4:cpu,cpuacct:/huddle/m\n1:name=systemd:/s\n"
                                 "0::/system.slice/x.service\n";
    char path[32];

    (void)state;
    assert_int_equal(procfs_cgroup_path(hybrid, "", path, sizeof(path)), 0);
    assert_string_equal(path, "/system.slice/x.service");
    assert_int_equal(procfs_cgroup_path(hybrid, "cpu", path, sizeof(path)), 0);
    assert_string_equal(path, "/huddle/m");
    assert_int_equal(procfs_cgroup_path(hybrid, "cpuacct", path, sizeof(path)), 0);
    assert_int_equal(procfs_cgroup_path(hybrid, "memory", path, sizeof(path)), -ENOENT);
    assert_int_equal(procfs_cgroup_path("4:cpu:no-slash\n", "cpu", path, sizeof(path)), -EINVAL);
    assert_int_equal(procfs_cgroup_path("4:cpu:/a\n", "cpu", path, 2), -EINVAL); /* does not fit */
    assert_int_equal(procfs_cgroup_path("4:cpu\n:\n\n", "cpu", path, sizeof(path)), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_time_is_told_apart),
        cmocka_unit_test(each_cpu_for_itself),
        cmocka_unit_test(odd_lines_of_one_cpu),
        cmocka_unit_test(kernels_before_steal_and_guest),
        cmocka_unit_test(large_machines_count_on),
        cmocka_unit_test(what_is_no_stat),
        cmocka_unit_test(memory_of_new_and_old_kernels),
        cmocka_unit_test(memory_that_cannot_be),
        cmocka_unit_test(pressure),
        cmocka_unit_test(keyed_lines),
        cmocka_unit_test(cpu_limits),
        cmocka_unit_test(process_lines),
        cmocka_unit_test(cgroup_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
