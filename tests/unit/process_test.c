/* Processes of replicas: their start, what they may, their end and what is left behind. */
#include "tests/unit/process_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/emulated.h"

/* --- start and end -----------------------------------------------------------------------------
 */

static void exits_are_told_with_the_last_lines(void **state)
{
    struct world *w = *state;
    char path[256];

    run(w, "echo one; echo two >&2; echo $HUDDLE_REPLICA; exit 3");
    assert_int_equal(w->told.times, 1);
    assert_string_equal(w->told.uid, "m-1");
    assert_true(w->told.exit.known);
    assert_false(w->told.exit.never_ran);
    assert_int_equal(w->told.exit.code, 3);
    assert_string_equal(w->told.text, "exited with code 3");
    assert_string_equal(w->told.tail, "one | two | m-1");
    path_of(w, "m-1", "record", path);
    assert_false(exists(path));
    path_of(w, "m-1", "log", path);
    assert_true(exists(path));
}

static void signals_reach_the_leader(void **state)
{
    struct world *w = *state;
    int64_t pid;

    open_agent(w);
    start_or_fail(w, "m-1", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done",
                  &pid);
    assert_int_equal(processes_count(w->p), 1);
    assert_string_equal(processes_use(w->p, 0).uid, "m-1");
    assert_int_equal(processes_use(w->p, 0).pid, pid);
    {
        char path[256];
        struct stat st = { 0 };

        path_of(w, "m-1", "log", path);
        wait_until(stat(path, &st) == 0 && st.st_size > 0);
    }
    assert_int_equal(process_signal(w->p, "m-1", SIGTERM), 0);
    wait_for_exit(w);
    assert_string_equal(w->told.tail, "up | bye");
    assert_int_equal(process_signal(w->p, "m-1", SIGTERM), -ESRCH);
    assert_int_equal(processes_count(w->p), 0);
}

static void a_killed_process_says_by_what(void **state)
{
    struct world *w = *state;

    open_agent(w);
    start_or_fail(w, "m-1", "while :; do sleep 0.05; done", NULL);
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
    assert_string_equal(w->told.text, "killed by signal 9 (SIGKILL)");
    assert_int_equal(w->told.exit.signal, SIGKILL);
    assert_int_equal(w->told.exit.code, -1);
}

static void a_missing_program_is_an_exit_that_never_ran(void **state)
{
    struct world *w = *state;
    AUTO(launch) struct launch launch = { 0 };
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "",
                              .metrics_path = "",
                              .metrics_preset = "",
                              .readiness.path = "" };

    open_agent(w);
    launch_argument(&launch, "/no/such/program");
    launch_variable(&launch, "A", "b");
    assert_int_equal(process_start(w->p, &d, &launch, NULL, &w->e), 0);
    wait_for_exit(w);
    assert_true(w->told.exit.never_ran);
    assert_string_equal(w->told.text, "cannot execute /no/such/program: No such file or directory");
}

static void one_of_a_uid_and_only_safe_uids(void **state)
{
    struct world *w = *state;
    const char *bad[] = { "", ".", "..", "../x", "a/b", ".hidden", "a b", "a\nb" };

    open_agent(w);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(start(w, bad[i], "exit 0", "", NULL), -EINVAL);
    start_or_fail(w, "m-1", "while :; do sleep 0.05; done", NULL);
    assert_int_equal(start(w, "m-1", "exit 0", "", NULL), -EBUSY);
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
}

static void what_a_replica_may_is_little(void **state)
{
    struct world *w = *state;

    run(w, "grep -E '^(NoNewPrivs|CapEff|CapPrm|CapBnd|SigBlk|SigIgn)' /proc/self/status;"
           "echo fds $(ls /proc/self/fd | wc -l); pwd; umask; ulimit -c; env | sort | tr '\\n' ' ';"
           "read line; echo read $?; cut -d' ' -f5,6 /proc/$$/stat; echo $$");
    assert_says(w->told.tail, "fds 4"); /* 0-2, and that of ls */
    assert_says(w->told.tail, "| / | 0022 | 0 | HUDDLE_REPLICA=m-1 PATH=/usr/bin:/bin PWD=/ ");
    assert_says(w->told.tail, "read 1"); /* stdin is at its end */
    {
        char group[64];

        (void)snprintf(group, sizeof(group), "| %lld %lld | %lld", (long long)w->told.exit.pid,
                       (long long)w->told.exit.pid, (long long)w->told.exit.pid);
        assert_says(w->told.tail, group);
    }
}

static void capabilities_and_signals_are_reset(void **state)
{
    struct world *w = *state;
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    run(w, "grep -E '^(NoNewPrivs|CapEff|CapPrm|CapAmb|SigBlk|SigIgn)' /proc/self/status");
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    (void)signal(SIGPIPE, SIG_DFL);
    assert_says(w->told.tail, "SigBlk: 0000000000000000 | SigIgn: ");
    assert_true(settable_signals(strstr(w->told.tail, "SigIgn: ") + strlen("SigIgn: ")) == 0);
    assert_says(w->told.tail, " | CapPrm: 0000000000000000 | CapEff: 0000000000000000");
    assert_says(w->told.tail, "CapAmb: 0000000000000000 | NoNewPrivs: 1");
}

static void another_user_if_the_agent_is_root(void **state)
{
    struct world *w = *state;

    if (geteuid() != 0)
        SKIP(w->test, "only root can become another user");
    open_agent(w);
    assert_int_equal(
        start(w, "m-1", "id -u; id -G; touch /tmp/huddle-process-* 2>&1", "nobody", NULL), 0);
    wait_for_exit(w);
    assert_says(w->told.tail, "65534 | 65534 | ");
    assert_says(w->told.tail, "Permission denied");
}

static void a_user_that_we_cannot_become_is_told(void **state)
{
    struct world *w = *state;

    if (geteuid() == 0)
        SKIP(w->test, "root can become anybody");
    open_agent(w);
    assert_int_equal(start(w, "m-1", "exit 0", "root", NULL), 0);
    wait_for_exit(w);
    assert_true(w->told.exit.never_ran);
    assert_says(w->told.text, "cannot become its user: Operation not permitted");
}

static void what_is_left_of_the_group_is_killed(void **state)
{
    struct world *w = *state;
    char path[256], script[512];

    path_of(w, "m-1", "child", path);
    (void)snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; exit 0", path);
    run(w, script);
    assert_true(number_in(path) > 0);
    wait_until(!lives(number_in(path)));
}

/* --- failing ----------------------------------------------------------------------------------
 */

static void a_record_that_cannot_be_written_stops_the_start(void **state)
{
    struct world *w = *state;
    char path[256];

    open_agent(w);
    path_of(w, "m-1", NULL, path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(w, "m-1", "record.new", path);
    assert_int_equal(mkdir(path, 0700), 0);
    start_or_fail(w, "m-1", "echo must not run", NULL);
    wait_for_exit(w);
    assert_true(w->told.exit.never_ran);
    assert_string_equal(w->told.text, "cannot write its record: Is a directory");
    assert_string_equal(w->told.tail, "");
}

static void folders_that_cannot_be_made_are_told(void **state)
{
    struct world *w = *state;
    char path[256];
    int fd;

    open_agent(w);
    path_of(w, "m-1", NULL, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && close(fd) == 0);
    assert_true(start(w, "m-1", "exit 0", "", NULL) < 0);
    assert_says(w->e.text, "m-1: Not a directory");
    close_agent(w);
    w->options.state_dir = "/no/such/folder";
    assert_int_equal(loop_new(&w->l, NULL), 0);
    w->options.loop = w->l;
    assert_int_equal(processes_new(&w->options, on_exit_told, w, &w->p, &w->e), -ENOENT);
    loop_free(TAKE(w->l));
}

/* One start within a limit of descriptors; whether it failed, as it should, for want of them. */
static bool start_fails_within(struct world *w, rlim_t limit)
{
    struct rlimit before, now;
    const char *text = w->e.text;
    int r;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = (struct rlimit){ limit, before.rlim_max };
    open_agent(w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    r = start(w, "m-1", "exit 7", "", NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    if (r == 0) {
        wait_for_exit(w);
        text = w->told.text;
    }
    close_agent(w);
    if (strcmp(text, "exited with code 7") == 0)
        return false;
    assert_says(text, "Too many open files");
    return true;
}

/* With one descriptor more each time, each step of the start fails once. */
static void starts_without_descriptors_fail_cleanly(void **state)
{
    struct world *w = *state;
    int least = dup(0), failed = 0;

    assert_true(least > 0 && close(least) == 0);
    while (failed < 20 && start_fails_within(w, (rlim_t)(least + failed)))
        failed++;
    assert_in_range(failed, 8, 19);
    assert_int_equal(dup(0), least); /* nothing is left open */
    assert_int_equal(close(least), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exits_are_told_with_the_last_lines),
        TEST(signals_reach_the_leader),
        TEST(a_killed_process_says_by_what),
        TEST(a_missing_program_is_an_exit_that_never_ran),
        TEST(one_of_a_uid_and_only_safe_uids),
        TEST(what_a_replica_may_is_little),
        TEST(capabilities_and_signals_are_reset),
        TEST(another_user_if_the_agent_is_root),
        TEST(a_user_that_we_cannot_become_is_told),
        TEST(what_is_left_of_the_group_is_killed),
        TEST(a_record_that_cannot_be_written_stops_the_start),
        TEST(folders_that_cannot_be_made_are_told),
        TEST(starts_without_descriptors_fail_cleanly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
