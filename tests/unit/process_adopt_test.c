/* Processes found again: an agent killed at any instant loses none and adopts no stranger. The
 * "fake agent" is a child of the test. */
#include "tests/unit/process_world.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/replica/log_tail.h"
#include "agent/replica/record.h"
#include "tests/unit/emulated.h"

/* --- adoption -----------------------------------------------------------------------------------
 */

/* An agent of its own process that starts `script` and is killed at once. Returns the pid of the
 * replica. */
static int64_t start_and_die(struct world *w, const char *script)
{
    int fds[2], status;
    int64_t pid = 0;
    pid_t agent;

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
    assert_int_equal(processes_count(w->p), 1);
    assert_int_equal(processes_use(w->p, 0).pid, pid);
    close_agent(w); /* in good order this time: it still runs, and is found once more */
    assert_true(lives(pid));
    adopt(w);
    assert_true(w->found.alive);
    wait_until(log_bytes(w, "m-1") > 0); /* so far, it may not have come to say anything */
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

/* One descriptor is enough for the record, but not to look at its process as well. */
static void one_that_cannot_be_looked_at_is_not_taken_for_gone(void **state)
{
    struct world *w = *state;
    struct rlimit before, now;
    struct process_stat st;
    int least, direct, adopted;
    char path[256];
    int64_t pid;

    SKIP_WHEN_EMULATED("/proc names the emulator in place of the program");
    pid = start_and_die(w, "while :; do sleep 0.05; done");
    path_of(w, "m-1", "record", path);
    wait_until(exists(path));
    assert_int_equal(process_stat_read("/proc", (pid_t)pid, &st), 0);
    open_agent(w);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    least = dup(0);
    assert_true(least > 0 && close(least) == 0);
    now = (struct rlimit){ (rlim_t)least, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    direct = identity_open("/proc", (pid_t)pid, st.start_ticks);
    now.rlim_cur++;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    adopted = processes_adopt(w->p, on_found, w, &w->e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(direct, -EMFILE);
    assert_int_equal(adopted, -EMFILE);
    assert_says(w->e.text, "replica m-1");
    assert_int_equal(w->found.times, 0);
    assert_true(lives(pid));
    close_agent(w);
    adopt(w); /* the next try finds it */
    assert_true(w->found.alive);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replicas_outlive_a_killed_agent),
        TEST(the_log_of_an_orphan_is_bounded_too),
        TEST(an_end_without_an_agent_is_told_and_cleaned_up),
        TEST(an_agent_killed_between_fork_and_exec_loses_nothing),
        TEST(a_strangers_pid_is_not_adopted),
        TEST(one_that_cannot_be_looked_at_is_not_taken_for_gone),
        TEST(a_damaged_record_is_set_aside),
        TEST(records_are_read_back_or_refused),
        cmocka_unit_test(names_with_brackets_do_not_deceive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
