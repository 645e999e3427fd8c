/* Cgroups of replicas: where they are made on v2, v1 and hybrid hosts (trees of plain files), and
 * that they hold, limit and end real processes where this machine allows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "agent/replica/identity.h"
#include "agent/replica/process.h"
#include "agent/replica/replica_cgroup.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "tests/unit/skip.h"

#define PATIENCE_MS 30000

struct world {
    const char *test; /* its name */
    char root[64], proc[96], parent[64];
    struct cgroup_home home;
    struct replica_cgroup cgroup;
    struct err e;
    /* of real processes */
    struct loop *l;
    struct loop_timer *patience;
    struct processes *p;
    int exits;
    char text[512], tail[512];
};

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[2048];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->test = *state;
    (void)snprintf(w->root, sizeof(w->root), "/tmp/huddle-cgroup-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    (void)snprintf(w->proc, sizeof(w->proc), "%s/proc", w->root);
    shell("mkdir -p %s/self", w->proc);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    replica_cgroup_done(&w->cgroup);
    cgroup_home_done(&w->home);
    shell("rm -rf %s", w->root);
    free(w);
    return 0;
}

#define assert_says(text, part)                                      \
    do {                                                             \
        if (!strstr((text), (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (text), (part)); \
    } while (0)

/* --- trees of plain files ---------------------------------------------------------------------
 */

/* A cgroup folder with the files that the kernel would put there. */
static void put_cgroup(const struct world *w, const char *folder, const char *files)
{
    shell("mkdir -p %s/%s && cd %s/%s && touch cgroup.procs %s", w->root, folder, w->root, folder,
          files);
}

static void put_own(const struct world *w, const char *text)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/self/cgroup", w->proc);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void assert_file(const struct world *w, const char *file, const char *content)
{
    char path[256], text[128];

    (void)snprintf(path, sizeof(path), "%s/%s", w->root, file);
    assert_true(text_file_read(path, text, sizeof(text)) >= 0);
    assert_string_equal(text, content);
}

static void v2_with_controllers(void **state)
{
    struct world *w = *state;

    put_own(w, "0::/\n");
    put_cgroup(w, ".", "cgroup.controllers");
    shell("echo cpuset cpu io memory >%s/cgroup.subtree_control", w->root);
    put_cgroup(w, "huddle", "");
    shell("echo cpu memory >%s/huddle/cgroup.subtree_control", w->root);
    put_cgroup(w, "huddle/m-1", "cpu.max cpu.weight memory.max memory.oom.group");
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_string_equal(w->home.problem, "");
    assert_int_equal(w->home.n, 1);
    assert_string_equal(w->home.hierarchies[0].name, "/huddle");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 1500, 1 << 30, &w->cgroup, &w->e), 0);
    assert_file(w, "huddle/m-1/cpu.max", "30000 20000");
    assert_file(w, "huddle/m-1/cpu.weight", "59");
    assert_file(w, "huddle/m-1/memory.max", "1073741824");
    assert_file(w, "huddle/m-1/memory.oom.group", "1");
    assert_int_equal(w->cgroup.n_fds, 1);
    assert_int_equal(write(w->cgroup.procs_fds[0], "0", 1), 1);
    assert_file(w, "huddle/m-1/cgroup.procs", "0");
}

static void v2_without_controllers_still_groups_and_says_so(void **state)
{
    struct world *w = *state;

    put_own(w, "0::/system.slice/huddle-agent.service\n");
    put_cgroup(w, ".", "cgroup.controllers cgroup.subtree_control");
    put_cgroup(w, "system.slice/huddle-agent.service/huddle/m-1", "");
    put_cgroup(w, "system.slice/huddle-agent.service/huddle", "");
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_says(w->home.problem, "limits of cpu and memory are not enforced");
    assert_says(w->home.problem, "DelegateSubgroup=agent");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 1500, 1 << 30, &w->cgroup, &w->e), 0);
    assert_int_equal(w->cgroup.folders.n, 1);
    assert_says(w->cgroup.folders.item[0], "/system.slice/huddle-agent.service/huddle/m-1");
}

static void beside_the_agent_in_a_delegated_cgroup(void **state)
{
    struct world *w = *state;

    put_own(w, "0::/system.slice/huddle-agent.service/agent\n");
    put_cgroup(w, ".", "cgroup.controllers cgroup.subtree_control");
    put_cgroup(w, "system.slice/huddle-agent.service", "");
    put_cgroup(w, "system.slice/huddle-agent.service/agent", "");
    put_cgroup(w, "system.slice/huddle-agent.service/huddle", "");
    shell("cd %s/system.slice/huddle-agent.service && echo cpu memory >cgroup.subtree_control && "
          "echo cpu memory >huddle/cgroup.subtree_control",
          w->root);
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_string_equal(w->home.problem, "");
    assert_string_equal(w->home.hierarchies[0].name, "/system.slice/huddle-agent.service/huddle");
}

static void put_hybrid(const struct world *w)
{
    put_cgroup(w, "unified", "cgroup.controllers cgroup.subtree_control");
    put_cgroup(w, "unified/huddle", "");
    put_cgroup(w, "unified/huddle/m-1", "");
    put_cgroup(w, "cpu", "");
    put_cgroup(w, "cpu/a/huddle/m-1", "cpu.shares cpu.cfs_period_us cpu.cfs_quota_us");
    put_cgroup(w, "cpu/a/huddle", "");
    put_cgroup(w, "cpuacct", "");
    put_cgroup(w, "cpuacct/a/huddle/m-1", "");
    put_cgroup(w, "cpuacct/a/huddle", "");
    put_cgroup(w, "memory", "");
    put_cgroup(w, "memory/huddle/m-1", "memory.limit_in_bytes");
    put_cgroup(w, "memory/huddle", "");
    put_own(w, "3:memory:/gone\n2:cpuacct:/a\n1:cpu:/a\n0::/\n");
}

/* In each hierarchy below our own place there; a place that is not in the mount is that of another
 * namespace, and the mount's root is ours. */
static void hybrid(void **state)
{
    struct world *w = *state;

    put_hybrid(w);
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_string_equal(w->home.problem, "");
    assert_int_equal(w->home.n, 4);
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 250, 4096, &w->cgroup, &w->e), 0);
    assert_file(w, "cpu/a/huddle/m-1/cpu.cfs_period_us", "20000");
    assert_file(w, "cpu/a/huddle/m-1/cpu.cfs_quota_us", "5000");
    assert_file(w, "memory/huddle/m-1/memory.limit_in_bytes", "4096");
    assert_int_equal(w->cgroup.n_fds, 4);
}

static void a_share_is_no_quota(void **state)
{
    struct world *w = *state;

    put_hybrid(w);
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    w->home.share_only = true;
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 250, 4096, &w->cgroup, &w->e), 0);
    assert_file(w, "cpu/a/huddle/m-1/cpu.shares", "256");
    assert_file(w, "cpu/a/huddle/m-1/cpu.cfs_quota_us", "");
    assert_file(w, "memory/huddle/m-1/memory.limit_in_bytes", "4096");
}

static void a_configured_parent_is_the_same_everywhere(void **state)
{
    struct world *w = *state;

    put_hybrid(w);
    put_cgroup(w, "cpu/huddle", "");
    put_cgroup(w, "cpuacct/huddle", "");
    cgroup_home_init(&w->home, w->root, w->proc, "/huddle");
    assert_int_equal(w->home.n, 4);
    for (size_t i = 0; i < w->home.n; i++)
        assert_string_equal(w->home.hierarchies[i].name, "/huddle");
}

static void cpu_and_cpuacct_in_one_mount(void **state)
{
    struct world *w = *state;

    put_own(w, "2:cpu,cpuacct:/\n");
    put_cgroup(w, "cpu,cpuacct", "");
    put_cgroup(w, "cpu,cpuacct/huddle", "");
    put_cgroup(w, "cpu,cpuacct/huddle/m-1", "cpu.shares cpu.cfs_period_us cpu.cfs_quota_us");
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_says(w->home.problem, "limits of memory are not enforced");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 5, 4096, &w->cgroup, &w->e), 0);
    assert_file(w, "cpu,cpuacct/huddle/m-1/cpu.cfs_quota_us", "1000"); /* the kernel's least */
    assert_file(w, "cpu,cpuacct/huddle/m-1/cpu.cfs_period_us", "200000");
}

static void without_cgroups_it_says_so_and_goes_on(void **state)
{
    struct world *w = *state;

    put_own(w, "");
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_says(w->home.problem, "replicas have no cgroup");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 5, 5, &w->cgroup, &w->e), 0);
    assert_int_equal(w->cgroup.folders.n, 0);
    cgroup_home_done(&w->home);
    cgroup_home_init(&w->home, w->root, w->proc, "none");
    assert_string_equal(w->home.problem, ""); /* as configured */
    cgroup_home_done(&w->home);
    put_cgroup(w, ".", "cgroup.controllers"); /* no cgroup.procs appears in what we make */
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_says(w->home.problem, "/huddle: Operation not supported");
}

/* An agent of root's ran here and left its folder: ours, without the right to write there, starts
 * replicas all the same. */
static void without_the_right_it_says_so_and_goes_on(void **state)
{
    struct world *w = *state;
    bool root = geteuid() == 0;

    put_own(w, "0::/\n");
    put_cgroup(w, ".", "cgroup.controllers");
    put_cgroup(w, "huddle", "");
    shell("chmod 755 %s && chmod 555 %s/huddle", w->root, w->root);
    if (root)
        assert_int_equal(seteuid(65534), 0);
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    if (root)
        assert_int_equal(seteuid(0), 0);
    shell("chmod 755 %s/huddle", w->root);
    assert_says(w->home.problem, "replicas have no cgroup");
    assert_says(w->home.problem, "/huddle: Permission denied");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 5, 5, &w->cgroup, &w->e), 0);
    assert_int_equal(w->cgroup.folders.n, 0);
}

static void a_limit_that_is_refused_is_an_error(void **state)
{
    struct world *w = *state;

    put_hybrid(w);
    shell("cd %s/memory/huddle/m-1 && rm memory.limit_in_bytes && mkdir memory.limit_in_bytes",
          w->root);
    cgroup_home_init(&w->home, w->root, w->proc, "huddle");
    assert_int_equal(replica_cgroup_make(&w->home, "m-1", 250, 4096, &w->cgroup, &w->e), -EISDIR);
    assert_says(w->e.text, "limit of 4096 bytes: Is a directory");
    assert_null(w->cgroup.folders.item);
}

static void the_whole_is_killed_at_once_where_the_kernel_can(void **state)
{
    struct world *w = *state;
    char *folders[2];
    struct string_list list = { folders, 2 };
    char a[128], b[128];

    put_cgroup(w, "a", "memory.oom_control");
    put_cgroup(w, "b", "cgroup.kill");
    (void)snprintf(a, sizeof(a), "%s/a", w->root);
    (void)snprintf(b, sizeof(b), "%s/b", w->root);
    folders[0] = a;
    folders[1] = b;
    replica_cgroup_kill(&list);
    assert_file(w, "b/cgroup.kill", "1");
    assert_false(replica_cgroup_out_of_memory(&list));
    shell("printf 'oom_kill_disable 0\\nunder_oom 0\\noom_kill 0\\n' >%s/memory.oom_control", a);
    assert_false(replica_cgroup_out_of_memory(&list));
    shell("printf 'oom_kill_disable 0\\nunder_oom 0\\noom_kill 2\\n' >%s/memory.oom_control", a);
    assert_true(replica_cgroup_out_of_memory(&list));
    shell("rm %s/memory.oom_control; printf 'low 0\\noom 1\\noom_kill 1\\n' >%s/memory.events", a,
          b);
    assert_true(replica_cgroup_out_of_memory(&list));
    assert_int_equal(replica_cgroup_remove(&list), -ENOTEMPTY);
    shell("rm -r %s %s/*", a, b);
    assert_int_equal(replica_cgroup_remove(&list), 0);
}

/* --- real ones ---------------------------------------------------------------------------------
 */

static void on_patience(void *data, int64_t now_ms)
{
    (void)now_ms;
    loop_stop(((struct world *)data)->l, -1);
}

static void on_exit_told(void *data, const char *uid, const struct process_exit *exit)
{
    struct world *w = data;

    (void)uid;
    w->exits++;
    (void)snprintf(w->text, sizeof(w->text), "%s", exit->text);
    (void)snprintf(w->tail, sizeof(w->tail), "%s", exit->tail);
    loop_stop(w->l, 0);
}

static int set_up_real(void **state)
{
    struct world *w;
    struct processes_options options = { 0 };

    (void)set_up(state);
    w = *state;
    (void)snprintf(w->parent, sizeof(w->parent), "huddle-test-%d", (int)getpid());
    cgroup_home_init(&w->home, "/sys/fs/cgroup", "/proc", w->parent);
    assert_int_equal(loop_new(&w->l, NULL), 0);
    w->patience = loop_timer_add(w->l, on_patience, w);
    options.loop = w->l;
    options.state_dir = w->root;
    options.cgroup_parent = w->parent;
    if (processes_new(&options, on_exit_told, w, &w->p, &w->e) < 0)
        fail_msg("%s", w->e.text);
    return 0;
}

static int tear_down_real(void **state)
{
    struct world *w = *state;

    processes_free(w->p);
    loop_timer_remove(w->patience);
    loop_free(w->l);
    return tear_down(state); /* takes the parents away */
}

static bool limits(const struct world *w, bool memory)
{
    for (size_t i = 0; i < w->home.n; i++)
        if (memory ? w->home.hierarchies[i].memory : w->home.hierarchies[i].cpu)
            return true;
    return false;
}

static void run_real(struct world *w, const char *script, uint64_t cpu_milli, uint64_t memory_bytes)
{
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "sh",
                              .metrics_path = "",
                              .metrics_preset = "",
                              .readiness.path = "" };
    struct launch launch = { .cpu_milli = cpu_milli, .memory_bytes = memory_bytes };

    launch_argument(&launch, "/bin/sh");
    launch_argument(&launch, "-c");
    launch_argument(&launch, script);
    launch_variable(&launch, "PATH", "/usr/bin:/bin");
    if (process_start(w->p, &d, &launch, NULL, &w->e) < 0)
        fail_msg("%s", w->e.text);
    launch_done(&launch);
    loop_timer_arm(w->patience, clock_boot_ms() + PATIENCE_MS);
    if (loop_run(w->l) < 0)
        fail_msg("no exit was told");
}

static bool any_folder_left(const struct world *w)
{
    for (size_t i = 0; i < w->home.n; i++) {
        char path[1024];

        (void)snprintf(path, sizeof(path), "%s/m-1", w->home.hierarchies[i].folder);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* One that went into a session of its own is found by the cgroup alone. */
static void daemons_of_a_replica_end_with_it(void **state)
{
    struct world *w = *state;
    char script[700], path[128], text[32];
    struct process_stat st;
    int64_t until_ms = clock_boot_ms() + PATIENCE_MS;
    pid_t pid;

    if (w->home.n == 0)
        SKIP(w->test, "no cgroup can be made here");
    (void)snprintf(path, sizeof(path), "%s/pid", w->root);
    (void)snprintf(
        script, sizeof(script),
        "setsid sh -c 'echo $$ >%s.new; mv %s.new %s; exec sleep 1000' >/dev/null 2>&1 & "
        "while [ ! -e %s ]; do sleep 0.01; done; cat /proc/self/cgroup",
        path, path, path, path);
    run_real(w, script, 0, 0);
    assert_says(w->tail, w->parent);
    assert_true(text_file_read(path, text, sizeof(text)) > 0);
    pid = (pid_t)strtol(text, NULL, 10);
    assert_true(pid > 0);
    while (process_stat_read("/proc", pid, &st) == 0 && st.state != 'Z')
        assert_true(clock_boot_ms() < until_ms);
    assert_false(any_folder_left(w));
}

static void memory_is_limited_and_its_want_is_told(void **state)
{
    struct world *w = *state;

    if (!limits(w, true))
        SKIP(w->test, "no cgroup that limits memory here");
    run_real(w, "exec tail /dev/zero", 0, 16 << 20);
    assert_string_equal(w->text, "killed by the kernel: it needed more memory than its limit");
    assert_false(any_folder_left(w));
}

static void cpu_is_limited(void **state)
{
    struct world *w = *state;
    char script[1024];

    if (!limits(w, false))
        SKIP(w->test, "no cgroup that limits CPU here");
    for (size_t i = 0; i < w->home.n; i++)
        if (w->home.hierarchies[i].cpu)
            (void)snprintf(script, sizeof(script), "cat %.500s/m-1/cpu.%s",
                           w->home.hierarchies[i].folder,
                           w->home.hierarchies[i].unified ? "max" : "cfs_quota_us");
    run_real(w, script, 250, 0);
    assert_says(w->tail, "5000");
}

#define TEST(f) cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, (void *)#f)
#define REAL(f) cmocka_unit_test_prestate_setup_teardown(f, set_up_real, tear_down_real, (void *)#f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(v2_with_controllers),
        TEST(v2_without_controllers_still_groups_and_says_so),
        TEST(beside_the_agent_in_a_delegated_cgroup),
        TEST(hybrid),
        TEST(a_share_is_no_quota),
        TEST(a_configured_parent_is_the_same_everywhere),
        TEST(cpu_and_cpuacct_in_one_mount),
        TEST(without_cgroups_it_says_so_and_goes_on),
        TEST(without_the_right_it_says_so_and_goes_on),
        TEST(a_limit_that_is_refused_is_an_error),
        TEST(the_whole_is_killed_at_once_where_the_kernel_can),
        REAL(daemons_of_a_replica_end_with_it),
        REAL(memory_is_limited_and_its_want_is_told),
        REAL(cpu_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
