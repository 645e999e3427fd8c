/* Processes of replicas: start, end, what is left behind, the log's bound, and that an agent killed
 * at any instant loses none and adopts no stranger. The "fake agent" is a child of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/replica/log_tail.h"
#include "agent/replica/process.h"
#include "agent/replica/record.h"
#include "agent/replica/replica_cgroup.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "tests/unit/emulated.h"

#define PATIENCE_MS 30000

struct told { /* of the last exit */
    int times;
    struct process_exit exit;
    char uid[64], text[512], tail[2048];
};

struct found {
    int times;
    bool alive;
    int64_t pid;
    uint32_t port;
    char uid[64], why[512];
};

struct world {
    const char *test; /* its name */
    char root[64];
    struct loop *l;
    struct loop_timer *patience;
    struct processes *p;
    struct processes_options options;
    struct told told;
    struct found found;
    struct err e;
};

/* --- the world ---------------------------------------------------------------------------------
 */

static void on_patience(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    loop_stop(w->l, -1);
}

static void on_exit_told(void *data, const char *uid, const struct process_exit *exit)
{
    struct world *w = data;

    w->told.times++;
    w->told.exit = *exit;
    (void)snprintf(w->told.uid, sizeof(w->told.uid), "%s", uid);
    (void)snprintf(w->told.text, sizeof(w->told.text), "%s", exit->text);
    (void)snprintf(w->told.tail, sizeof(w->told.tail), "%s", exit->tail);
    loop_stop(w->l, 0);
}

static void on_found(void *data, const struct process_found *found)
{
    struct world *w = data;

    w->found.times++;
    w->found.alive = found->alive;
    w->found.pid = found->pid;
    w->found.port = found->desired ? found->desired->port : 0;
    (void)snprintf(w->found.uid, sizeof(w->found.uid), "%s", found->uid);
    (void)snprintf(w->found.why, sizeof(w->found.why), "%s", found->why);
}

/* loop_stop() holds for good: each wait has a loop of its own. */
static void open_agent(struct world *w)
{
    skip_without_pidfd(w->test);
    assert_int_equal(loop_new(&w->l, &w->e), 0);
    w->patience = loop_timer_add(w->l, on_patience, w);
    w->options.loop = w->l;
    w->options.state_dir = w->root;
    if (processes_new(&w->options, on_exit_told, w, &w->p, &w->e) < 0)
        fail_msg("%s", w->e.text);
}

static void close_agent(struct world *w)
{
    processes_free(TAKE(w->p));
    loop_timer_remove(w->patience);
    loop_free(TAKE(w->l));
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->test = *state;
    (void)snprintf(w->root, sizeof(w->root), "/tmp/huddle-process-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    w->options.cgroup_parent = "none";
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];

    if (w->p)
        close_agent(w);
    (void)snprintf(command, sizeof(command), "rm -rf %s", w->root);
    assert_int_equal(system(command), 0);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    free(w);
    return 0;
}

static void path_of(const struct world *w, const char *uid, const char *file, char path[256])
{
    (void)snprintf(path, 256, "%s/replicas/%s%s%s", w->root, uid, file ? "/" : "",
                   file ? file : "");
}

static int start(struct world *w, const char *uid, const char *script, const char *user,
                 int64_t *ret_pid)
{
    struct wire_desired d = { .uid = uid,
                              .model = "m",
                              .runtime = "sh",
                              .port = 4711,
                              .metrics_path = "",
                              .metrics_preset = "",
                              .readiness.path = "",
                              .generation = 5 };
    AUTO(launch) struct launch launch = { 0 };

    launch_argument(&launch, "/bin/sh");
    launch_argument(&launch, "-c");
    launch_argument(&launch, script);
    launch_variable(&launch, "PATH", "/usr/bin:/bin");
    launch_variable(&launch, "HUDDLE_REPLICA", uid);
    assert_int_equal(launch_user(&launch, user, &w->e), 0);
    return process_start(w->p, &d, &launch, ret_pid, &w->e);
}

static void start_or_fail(struct world *w, const char *uid, const char *script, int64_t *ret_pid)
{
    if (start(w, uid, script, "", ret_pid) < 0)
        fail_msg("%s", w->e.text);
}

static void wait_for_exit(struct world *w)
{
    loop_timer_arm(w->patience, clock_boot_ms() + PATIENCE_MS);
    if (loop_run(w->l) < 0)
        fail_msg("no exit was told");
}

static void run(struct world *w, const char *script)
{
    open_agent(w);
    start_or_fail(w, "m-1", script, NULL);
    wait_for_exit(w);
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
}

#define assert_says(text, part)                                      \
    do {                                                             \
        if (!strstr((text), (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (text), (part)); \
    } while (0)

#define wait_until(condition)                                  \
    do {                                                       \
        int64_t until_ms_ = clock_boot_ms() + PATIENCE_MS;     \
        while (!(condition)) {                                 \
            if (clock_boot_ms() > until_ms_)                   \
                fail_msg("waited in vain for %s", #condition); \
            nap();                                             \
        }                                                      \
    } while (0)

static bool lives(int64_t pid)
{
    struct process_stat st;

    return process_stat_read("/proc", (pid_t)pid, &st) == 0 && st.state != 'Z';
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int64_t number_in(const char *path)
{
    FILE *f = fopen(path, "r");
    long long n = 0;

    if (f) {
        if (fscanf(f, "%lld", &n) != 1)
            n = 0;
        (void)fclose(f);
    }
    return n;
}

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
    assert_int_equal(process_pid(w->p, "m-1"), pid);
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
    assert_int_equal(process_pid(w->p, "m-1"), 0);
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

/* --- the log ----------------------------------------------------------------------------------
 */

static uint64_t log_bytes(const struct world *w, const char *uid)
{
    static const char *const names[] = { "log", "log.1" };
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[256];
        struct stat st;

        path_of(w, uid, names[i], path);
        if (stat(path, &st) == 0)
            sum += (uint64_t)st.st_size;
    }
    return sum;
}

static void the_log_is_bounded_and_keeps_the_end(void **state)
{
    struct world *w = *state;
    char path[256], line[64] = "";
    FILE *f;

    w->options.log_bytes = 128 << 10;
    run(w, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); "
           "printf '%03d %01000d\\n' $i 0; done; echo last");
    assert_in_range(log_bytes(w, "m-1"), 64 << 10, 128 << 10);
    assert_int_equal(strlen(w->told.tail), 1500);
    assert_string_equal(w->told.tail + strlen(w->told.tail) - 7, " | last");
    path_of(w, "m-1", "log.1", path);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, 5, f));
    assert_int_equal(fclose(f), 0);
    assert_true(line[0] >= '0' && line[0] <= '3' && line[3] == ' '); /* cut between lines */
}

static void a_log_that_cannot_be_written_stops_nobody(void **state)
{
    struct world *w = *state;
    struct rlimit before, small = { 8192, 8192 };

    open_agent(w);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    start_or_fail(w, "m-1", "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf '%01000d\\n' 0; done",
                  NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    wait_for_exit(w);
    assert_string_equal(w->told.text, "exited with code 0");
    assert_in_range(log_bytes(w, "m-1"), 1, 8192);
}

static void folders_of_the_ended_are_kept_but_not_for_ever(void **state)
{
    struct world *w = *state;
    char path[256];

    w->options.ended_kept = 2;
    for (int i = 1; i <= 4; i++) {
        char uid[16];

        (void)snprintf(uid, sizeof(uid), "m-%d", i);
        open_agent(w);
        start_or_fail(w, uid, "echo x", NULL);
        wait_for_exit(w);
        close_agent(w);
        nap(); /* times of files are as coarse as the kernel's tick */
    }
    for (int i = 1; i <= 4; i++) {
        char uid[16];

        (void)snprintf(uid, sizeof(uid), "m-%d", i);
        path_of(w, uid, NULL, path);
        assert_int_equal(exists(path), i > 2);
    }
}

static void tails_are_one_printable_line(void **state)
{
    static const struct {
        const char *text;
        size_t lines, most;
        const char *tail;
    } cases[] = {
        { "a\nb\nc\n", 2, 100, "b | c" },
        { "a\nb\nc", 2, 100, "b | c" },
        { "a\n\n  \nc\n\n", 2, 100, "a |    | c" },
        { "", 5, 100, "" },
        { "\n\n", 5, 100, "" },
        { "a\n", 0, 100, "" },
        { "\x1b[1;31mred\x1b[0m\tx\r\n", 1, 100, "red x" },
        { "caf\xc3\xa9 \xff \xe2\x82\n", 1, 100, "caf\xc3\xa9 ? ??" },
        { "0123456789\n", 1, 8, "...56789" },
        { "01234\xc3\xa9\xc3\xa9\n", 1, 8, "...4\xc3\xa9\xc3\xa9" },
        { "01234\xc3\xa9\xc3\xa9\n", 1, 7, "...\xc3\xa9\xc3\xa9" },
        { "012\n\x1b[", 2, 100, "012" },
        { "a\x1b", 1, 100, "a" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(strbuf) struct strbuf out = STRBUF_INIT;

        log_tail_of(cases[i].text, strlen(cases[i].text), cases[i].lines, cases[i].most, &out);
        assert_string_equal(strbuf_text(&out), cases[i].tail);
    }
}

/* --- adoption -----------------------------------------------------------------------------------
 */

/* An agent of its own process that starts `script` and is killed at once. Returns the pid of the
 * replica. */
static int64_t start_and_die(struct world *w, const char *script)
{
    int fds[2], status;
    int64_t pid = 0;
    pid_t agent;

    skip_without_pidfd(w->test);
    assert_int_equal(pipe(fds), 0);
    agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        open_agent(w);
        start_or_fail(w, "m-1", script, &pid);
        if (write(fds[1], &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
            _exit(1);
        (void)raise(SIGKILL);
    }
    assert_int_equal(close(fds[1]), 0);
    assert_int_equal(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(waitpid(agent, &status, 0), agent);
    assert_true(WIFSIGNALED(status));
    return pid;
}

static void adopt(struct world *w)
{
    open_agent(w);
    if (processes_adopt(w->p, on_found, w, &w->e) < 0)
        fail_msg("%s", w->e.text);
}

static void replicas_outlive_a_killed_agent(void **state)
{
    struct world *w = *state;
    int64_t pid;

    SKIP_WHEN_EMULATED("/proc names the emulator in place of the program");
    pid = start_and_die(w, "echo up; while [ ! -e end ]; do sleep 0.05; done");
    assert_true(lives(pid));
    adopt(w);
    assert_int_equal(w->found.times, 1);
    assert_true(w->found.alive);
    assert_string_equal(w->found.uid, "m-1");
    assert_int_equal(w->found.pid, pid);
    assert_int_equal(w->found.port, 4711);
    assert_int_equal(process_pid(w->p, "m-1"), pid);
    close_agent(w); /* in good order this time: it still runs, and is found once more */
    assert_true(lives(pid));
    adopt(w);
    assert_true(w->found.alive);
    assert_int_equal(process_signal(w->p, "m-1", SIGKILL), 0);
    wait_for_exit(w);
    assert_false(w->told.exit.known);
    assert_says(w->told.text, "how is not known");
    assert_string_equal(w->told.tail, "up");
    close_agent(w);
    memset(&w->found, 0, sizeof(w->found));
    adopt(w);
    assert_int_equal(w->found.times, 0);
}

static void the_log_of_an_orphan_is_bounded_too(void **state)
{
    struct world *w = *state;
    char path[256];
    int64_t pid;

    w->options.log_bytes = 64 << 10;
    pid = start_and_die(w, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf '%01000d\\n' 0; done; "
                           "echo done; while :; do sleep 0.05; done");
    path_of(w, "m-1", NULL, path);
    for (int64_t until_ms = clock_boot_ms() + PATIENCE_MS;;) {
        AUTO(strbuf) struct strbuf tail = STRBUF_INIT;

        log_tail(path, 1, 100, &tail);
        if (strcmp(strbuf_text(&tail), "done") == 0)
            break;
        assert_true(clock_boot_ms() < until_ms);
        nap();
    }
    assert_in_range(log_bytes(w, "m-1"), 32 << 10, 64 << 10);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static void an_end_without_an_agent_is_told_and_cleaned_up(void **state)
{
    struct world *w = *state;
    char path[256], script[512];
    int64_t pid;

    path_of(w, "m-1", "child", path);
    (void)snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; exit 0", path);
    pid = start_and_die(w, script);
    wait_until(!lives(pid) && number_in(path) > 0);
    assert_true(lives(number_in(path)));
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    adopt(w);
    assert_int_equal(w->found.times, 1);
    assert_false(w->found.alive);
    assert_string_equal(w->found.why, "ended while no agent ran");
    assert_int_equal(w->found.port, 4711);
    wait_until(!lives(number_in(path)));
    path_of(w, "m-1", "record", path);
    assert_false(exists(path));
}

/* The child stands between fork and exec: its way into the cgroup is a pipe that is full. */
static void an_agent_killed_between_fork_and_exec_loses_nothing(void **state)
{
    struct world *w = *state;
    char path[256], command[700], root[96], chunk[4096] = "";
    int fifo, lock;
    int64_t pid;

    SKIP_WHEN_EMULATED("/proc names the emulator in place of the program");
    (void)snprintf(root, sizeof(root), "%s/cgroup", w->root);
    (void)snprintf(
        command, sizeof(command),
        "mkdir -p %s/huddle/m-1 && touch %s/cgroup.controllers %s/huddle/cgroup.procs && "
        "mkfifo %s/huddle/m-1/cgroup.procs",
        root, root, root, root);
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof(path), "%s/huddle/m-1/cgroup.procs", root);
    fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fifo >= 0);
    while (write(fifo, chunk, sizeof(chunk)) > 0)
        ;
    w->options.cgroup_root = root;
    w->options.cgroup_parent = "/huddle";
    pid = start_and_die(w, "echo up; while :; do sleep 0.05; done");

    path_of(w, "m-1", "record", path);
    assert_false(exists(path));
    assert_true(lives(pid));
    path_of(w, "lock", NULL, path);
    lock = open(path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1); /* the next agent would wait */
    assert_int_equal(close(lock), 0);

    while (read(fifo, chunk, sizeof(chunk)) > 0) /* lets it go on */
        ;
    adopt(w);
    assert_int_equal(w->found.times, 1);
    assert_true(w->found.alive);
    assert_int_equal(w->found.pid, pid);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    assert_int_equal(close(fifo), 0);
}

/* A process that the record names, but that is another: it must not be touched. */
static void rewrite_record(struct world *w, const char *sed)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "sed -i '%s' %s/replicas/m-1/record", sed, w->root);
    assert_int_equal(system(command), 0);
}

static void a_strangers_pid_is_not_adopted(void **state)
{
    static const struct {
        const char *sed, *why;
    } cases[] = {
        { "1s/\\([0-9]*\\)$/1\\1/", "ended while no agent ran" }, /* another start time */
        { "s/^boot_id .*/boot_id other/", "the node was booted since" },
        { "s/^pid_namespace .*/pid_namespace 1/", "it ran in another container" },
    };
    struct world *w = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t pid = start_and_die(w, "unset HUDDLE_REPLICA; exec sleep 1000");
        char path[256];

        (void)snprintf(path, sizeof(path), "/proc/%lld/comm", (long long)pid);
        for (char name[16] = ""; strcmp(name, "sleep\n") != 0;) {
            FILE *f = fopen(path, "r");

            assert_non_null(f);
            assert_non_null(fgets(name, sizeof(name), f));
            assert_int_equal(fclose(f), 0);
        }
        rewrite_record(w, cases[i].sed);
        memset(&w->found, 0, sizeof(w->found));
        adopt(w);
        assert_int_equal(w->found.times, 1);
        assert_false(w->found.alive);
        assert_string_equal(w->found.why, cases[i].why);
        assert_int_equal(process_signal(w->p, "m-1", SIGKILL), -ESRCH);
        assert_true(lives(pid));
        close_agent(w);
        assert_true(lives(pid));
        assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
        wait_until(!lives(pid));
    }
}

static void a_damaged_record_is_set_aside(void **state)
{
    struct world *w = *state;
    int64_t pid = start_and_die(w, "while :; do sleep 0.05; done");
    char path[256];

    path_of(w, "m-1", "record", path);
    wait_until(exists(path));
    rewrite_record(w, "1s/huddle/puddle/");
    adopt(w);
    assert_int_equal(w->found.times, 1);
    assert_false(w->found.alive);
    assert_says(w->found.why, "not the record of a replica");
    path_of(w, "m-1", "record.bad", path);
    assert_true(exists(path));
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
}

static void records_are_read_back_or_refused(void **state)
{
    struct world *w = *state;
    struct record out = { .boot_id = "b", .pid_namespace = 7, .started_boot_ms = 9 }, in = { 0 };
    char *folders[] = { (char *)(uintptr_t) "/a", (char *)(uintptr_t) "/b c" };
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "r",
                              .metrics_path = "/m",
                              .metrics_preset = "",
                              .readiness.path = "",
                              .generation = 3 };
    AUTO(strbuf) struct strbuf rest = STRBUF_INIT;
    AUTO(mem) char *text = NULL;
    char path[256];
    int fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st;

    out.cgroups = (struct string_list){ folders, 2 };
    assert_int_equal(record_prepare(&out, &d, &rest, &w->e), 0);
    assert_int_equal(record_write(fd, 12345, 678901234567, rest.data, rest.length), 0);
    (void)snprintf(path, sizeof(path), "%s/record", w->root);
    assert_int_equal(record_read(path, &in, &w->e), 0);
    assert_int_equal(in.pid, 12345);
    assert_int_equal(in.start_ticks, 678901234567);
    assert_string_equal(in.boot_id, "b");
    assert_int_equal(in.pid_namespace, 7);
    assert_int_equal(in.started_boot_ms, 9);
    assert_int_equal(in.cgroups.n, 2);
    assert_string_equal(in.cgroups.item[1], "/b c");
    assert_string_equal(in.reply->replicas[0].metrics_path, "/m");
    assert_int_equal(in.reply->replicas[0].generation, 3);
    record_done(&in);
    assert_int_equal(stat(path, &st), 0);
    for (off_t n = st.st_size - 1; n >= 0; n--) { /* cut anywhere, it is refused */
        assert_int_equal(truncate(path, n), 0);
        assert_int_equal(record_read(path, &in, &w->e), -EBADMSG);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(record_read(path, &in, &w->e), -ENOENT);
    assert_int_equal(close(fd), 0);
}

static void names_with_brackets_do_not_deceive(void **state)
{
    struct process_stat st;

    (void)state;
    assert_int_equal(process_stat_parse("7 (a) R 1) S 3 44 55 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 9876 "
                                        "1 2 3",
                                        &st),
                     0);
    assert_int_equal(st.state, 'S');
    assert_int_equal(st.group, 44);
    assert_int_equal(st.session, 55);
    assert_int_equal(st.start_ticks, 9876);
    assert_int_equal(process_stat_parse("7 (a) S 3 44 55 0", &st), -EINVAL);
    assert_int_equal(process_stat_parse("7 (a", &st), -EINVAL);
    assert_int_equal(process_stat_parse("", &st), -EINVAL);
}

#define TEST(f) cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, (void *)#f)

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
        TEST(the_log_is_bounded_and_keeps_the_end),
        TEST(a_log_that_cannot_be_written_stops_nobody),
        TEST(folders_of_the_ended_are_kept_but_not_for_ever),
        cmocka_unit_test(tails_are_one_printable_line),
        TEST(replicas_outlive_a_killed_agent),
        TEST(the_log_of_an_orphan_is_bounded_too),
        TEST(an_end_without_an_agent_is_told_and_cleaned_up),
        TEST(an_agent_killed_between_fork_and_exec_loses_nothing),
        TEST(a_strangers_pid_is_not_adopted),
        TEST(a_damaged_record_is_set_aside),
        TEST(records_are_read_back_or_refused),
        cmocka_unit_test(names_with_brackets_do_not_deceive),
    };

    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
