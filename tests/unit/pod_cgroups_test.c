/* Pods by the cgroups of a kubelet: names of both drivers, v1 and v2, weights. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sensor/pod_cgroups.h"
#include "tests/unit/fixture_tree.h"

#define U1 "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
#define U1_SLICE "0b1c2d3e_4f50_6172_8394_a5b6c7d8e9f0"
#define U2 "1b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
#define U3 "2b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"

static struct fixture_tree tree;

static int make(void **state)
{
    (void)state;
    fixture_tree_init(&tree);
    return 0;
}

static int clear(void **state)
{
    (void)state;
    fixture_tree_done(&tree);
    return 0;
}

static void look(const char *parent, uint32_t cpus, struct sample *out)
{
    struct pod_cgroups *p = pod_cgroups_new(tree.root, parent);

    sample_clear(out);
    out->cpu.online = cpus;
    pod_cgroups_read(p, out);
    pod_cgroups_free(p);
}

static void assert_pod(const struct sample_pod *p, const char *uid, uint64_t cpu_ns,
                       uint64_t memory, uint64_t milli)
{
    assert_string_equal(p->uid, uid);
    assert_int_equal(p->cpu_ns, cpu_ns);
    assert_int_equal(p->memory_bytes, memory);
    assert_int_equal(p->requested_milli, milli);
}

static void names_of_both_drivers(void **state)
{
    static const struct {
        const char *name, *uid;
    } NAMES[] = {
        { "pod" U1, U1 },
        { "kubepods-burstable-pod" U1_SLICE ".slice", U1 },
        { "kubepods-besteffort-pod" U1_SLICE ".slice", U1 },
        { "kubepods-pod" U1_SLICE ".slice", U1 },
        { "pod0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef" }, /* static */
        { "kubepods-burstable.slice", NULL },
        { "burstable", NULL },
        { "pod", NULL },
        { "podman", NULL },
        { "pod" U1_SLICE, NULL },
        { "machine-pod" U1_SLICE ".slice", NULL },
        { "cri-containerd-0123.scope", NULL },
        { "pod" U1 U1, NULL },
        { ".slice", NULL },
        { "", NULL },
    };
    char uid[SAMPLE_POD_UID];

    (void)state;
    for (size_t i = 0; i < sizeof(NAMES) / sizeof(NAMES[0]); i++) {
        bool is = pod_cgroups_uid(NAMES[i].name, uid);

        if (is != (NAMES[i].uid != NULL) || (is && strcmp(uid, NAMES[i].uid) != 0))
            fail_msg("%s: %s", NAMES[i].name, is ? uid : "no pod");
    }
}

/* By hand: 1000m is 1024 shares, a weight of 39 (1 + 1022 * 9999 / 262142 = 39.98) or of 100. */
static void weights_become_requests(void **state)
{
    (void)state;
    assert_int_equal(pod_cgroups_milli_of_shares(2), 0);
    assert_int_equal(pod_cgroups_milli_of_shares(102), 100);
    assert_int_equal(pod_cgroups_milli_of_shares(1024), 1000);
    assert_int_equal(pod_cgroups_milli_of_shares(4096), 4000);
    assert_int_equal(pod_cgroups_milli_of_weight(1, false), 0);
    assert_in_range(pod_cgroups_milli_of_weight(39, false), 960, 1000);
    assert_int_equal(pod_cgroups_milli_of_weight(100, true), 1000);
    assert_int_equal(pod_cgroups_milli_of_weight(10000, true), 256000);
    assert_int_equal(pod_cgroups_milli_of_weight(10000, false), 256000);
    assert_int_equal(pod_cgroups_milli_of_weight(0, true), 0);
    assert_int_equal(pod_cgroups_milli_of_weight(99999, true), 0);
    /* 16 CPUs: 16384 shares, 625 or 942; somewhat less where kubelet reserves. */
    assert_false(pod_cgroups_is_curve(625, 16));
    assert_false(pod_cgroups_is_curve(590, 16));
    assert_true(pod_cgroups_is_curve(942, 16));
    assert_true(pod_cgroups_is_curve(900, 16));
    assert_false(pod_cgroups_is_curve(0, 16));
    assert_false(pod_cgroups_is_curve(942, 0));
}

static void v1_with_the_driver_cgroupfs(void **state)
{
    struct sample s = { 0 };

    (void)state;
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/cpuacct.usage", "1\n");
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/burstable/pod" U2 "/cpuacct.usage", "7000\n");
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/burstable/pod" U2 "/cpu.shares", "512\n");
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/burstable/pod" U2 "/0123/cpuacct.usage", "6000\n");
    fixture_put(&tree, "/memory/x/kubepods/burstable/pod" U2 "/memory.usage_in_bytes", "4096\n");
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/pod" U1 "/cpuacct.usage",
                "9000\n"); /* guaranteed */
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/pod" U1 "/cpu.shares", "2048\n");
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/besteffort/pod" U3 "/cpu.shares",
                "2\n"); /* ends: no usage */
    fixture_put(&tree, "/cpu,cpuacct/x/kubepods/besteffort/pod" U2 "/cpuacct.usage",
                "7001\n"); /* is moving */
    look("/x", 4, &s);
    assert_true(s.pods_known);
    assert_int_equal(s.n_pods, 2);
    assert_pod(&s.pods[0], U1, 9000, 0, 2000);
    assert_string_equal(s.pods[1].uid, U2);
    assert_int_equal(s.n_problems, 0);
    sample_done(&s);
}

static void v2_with_the_driver_systemd(void **state)
{
    struct sample s = { 0 };

    (void)state;
    fixture_put(&tree, "/cgroup.controllers", "cpu memory\n");
    fixture_put(&tree, "/kubepods.slice/cpu.weight", "100\n");
    fixture_put(&tree,
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U1_SLICE
                ".slice/cpu.stat",
                "usage_usec 12\nuser_usec 10\n");
    fixture_put(&tree,
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U1_SLICE
                ".slice/memory.current",
                "8192\n");
    fixture_put(&tree,
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" U1_SLICE
                ".slice/cpu.weight",
                "100\n");
    look("/", 1, &s); /* all pods have the weight of one CPU by the curve */
    assert_true(s.pods_known);
    assert_int_equal(s.n_pods, 1);
    assert_pod(&s.pods[0], U1, 12000, 8192, 1000);
    fixture_put(&tree, "/kubepods.slice/cpu.weight",
                "39\n"); /* by the line now, and so is the pod's */
    look("", 1, &s);
    assert_in_range(s.pods[0].requested_milli, 2500, 2600);
    sample_done(&s);
}

static void no_kubelet_is_told(void **state)
{
    struct sample s = { 0 };

    (void)state;
    look("/elsewhere", 4, &s);
    assert_false(s.pods_known);
    assert_int_equal(s.n_problems, 1);
    assert_non_null(strstr(s.problems[0].what, "/elsewhere"));
    assert_non_null(strstr(s.problems[0].fix, "pods.cgroupRoot"));
    sample_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_both_drivers),
        cmocka_unit_test(weights_become_requests),
        cmocka_unit_test_setup_teardown(v1_with_the_driver_cgroupfs, make, clear),
        cmocka_unit_test_setup_teardown(v2_with_the_driver_systemd, make, clear),
        cmocka_unit_test_setup_teardown(no_kubelet_is_told, make, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
