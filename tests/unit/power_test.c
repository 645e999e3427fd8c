/* Power drivers: the queue of calls, and the driver "exec" with programs that answer well, badly,
 * never, too much, or wish us ill. Each test has a folder of its own with small shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/power/exec_program.h"
#include "controller/power/power.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"
#include "tests/unit/emulated.h"

#define PATH_LONG 256
#define LONG_MS 60000 /* the deadline of calls whose deadline is not the point */

struct told {
    char node[64];
    enum power_action action;
    enum power_outcome outcome;
    enum power_reading reading;
    double watts;
    char message[1024];
    struct strbuf log;
};

struct world {
    char folder[64];
    struct loop *l;
    struct power *p;
    struct power_pool pool;
    char program[PATH_LONG];
    struct string_pair settings[4], secrets[4];
    struct told told; /* the last */
    size_t waiting, n_busy, n_accepted;
    struct loop_timer *watch; /* looks for something every 10 ms */
    bool (*look)(struct world *w);
};

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static const char *in(const struct world *w, const char *name, char path[PATH_LONG])
{
    snprintf(path, PATH_LONG, "%s/%s", w->folder, name);
    return path;
}

static void write_file(const struct world *w, const char *name, mode_t mode, const char *text)
{
    char path[PATH_LONG];
    int fd;

    in(w, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* What a driver wrote into a file of the folder; "" when there is none. */
static const char *read_file(const struct world *w, const char *name, char text[8192])
{
    char path[PATH_LONG];
    int fd = open(in(w, name, path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, 8191) : 0;

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static size_t count_files(const struct world *w, const char *prefix)
{
    DIR *dir = opendir(w->folder);
    struct dirent *d;
    size_t n = 0;

    assert_non_null(dir);
    while ((d = readdir(dir)))
        n += strncmp(d->d_name, prefix, strlen(prefix)) == 0;
    (void)closedir(dir);
    return n;
}

/* "cd FOLDER" comes first: drivers are started in /. */
static void write_driver(struct world *w, const char *body)
{
    struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "#!/bin/sh\ncd %s || exit 99\n%s\n", w->folder, body);
    write_file(w, "driver", 0755, strbuf_text(&text));
    strbuf_done(&text);
}

#define world_init(w, body) world_begin(w, body, __func__)
static void world_begin(struct world *w, const char *body, const char *test)
{
    skip_without_pidfd(test);
    *w = (struct world){ .folder = "/tmp/huddle-power-XXXXXX" };
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(chmod(w->folder, 0755), 0);
    assert_int_equal(loop_new(&w->l, NULL), 0);
    assert_int_equal(power_new(w->l, &w->p, NULL), 0);
    in(w, "driver", w->program);
    w->pool.driver.type = (char *)"exec";
    w->pool.driver.program = w->program;
    w->pool.driver.settings.pair = w->settings;
    w->pool.driver.secrets.pair = w->secrets;
    if (body)
        write_driver(w, body);
}

static void world_done(struct world *w)
{
    power_free(w->p);
    loop_timer_remove(w->watch);
    loop_free(w->l);
    strbuf_done(&w->told.log);
    assert_int_equal(nftw(w->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void set(struct string_map *m, const char *key, const char *value)
{
    m->pair[m->n++] = (struct string_pair){ (char *)key, (char *)value };
}

static void on_answer(void *data, const struct power_answer *a)
{
    struct world *w = data;
    struct told *t = &w->told;

    snprintf(t->node, sizeof(t->node), "%s", a->node);
    t->action = a->action;
    t->outcome = a->outcome;
    t->reading = a->reading;
    t->watts = a->watts;
    snprintf(t->message, sizeof(t->message), "%s", a->message);
    strbuf_clear(&t->log);
    strbuf_puts(&t->log, a->log);
    assert_true(a->reading == POWER_UNKNOWN || a->outcome == POWER_DONE);
    w->n_busy += a->outcome == POWER_BUSY;
    w->n_accepted += a->outcome == POWER_ACCEPTED;
    if (--w->waiting == 0)
        loop_stop(w->l, 0);
}

static void call_for(struct world *w, const char *node, enum power_action action, int64_t limit_ms)
{
    char json[512];
    const struct power_request r = {
        .node = node,
        .op = "0123abcd",
        .action = action,
        .attempt = 3,
        .pool = &w->pool,
        .node_json = json,
        .deadline_ms = clock_boot_ms() + limit_ms,
    };

    snprintf(json, sizeof(json),
             "{\"name\":\"%s\",\"uid\":\"u-%s\",\"mac\":[\"02:00:00:00:00:01\"],\"labels\":{}}",
             node, node);
    w->waiting++;
    power_call(w->p, &r, on_answer, w);
}

static void wait_all(struct world *w)
{
    while (w->waiting > 0)
        assert_int_equal(loop_run(w->l), 0);
}

static void ask(struct world *w, enum power_action action)
{
    call_for(w, "a1", action, LONG_MS);
    wait_all(w);
}

static void on_watch(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (w->look(w))
        loop_stop(w->l, 0);
    else
        loop_timer_arm(w->watch, now_ms + 10);
}

/* Runs the loop until `look` has found what it looks for. */
static void wait_for(struct world *w, bool (*look)(struct world *w))
{
    w->look = look;
    if (!w->watch)
        w->watch = loop_timer_add(w->l, on_watch, w);
    loop_timer_arm(w->watch, clock_boot_ms());
    assert_int_equal(loop_run(w->l), 0);
}

/* --- good answers -------------------------------------------------------------------------------
 */

static void a_probe_reads_power(void **state)
{
    struct world w;

    (void)state;
    world_init(&w,
               "echo '{\"power\":\"on\",\"message\":\"all is well\",\"watts\":12.5,\"more\":[]}'");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_DONE);
    assert_int_equal(w.told.reading, POWER_ON);
    assert_true(w.told.watts == 12.5);
    assert_string_equal(w.told.message, "all is well");
    assert_string_equal(w.told.node, "a1");
    write_driver(&w, "echo '{\"power\":\"off\"}'; echo noise >&2");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.reading, POWER_OFF);
    assert_true(isnan(w.told.watts));
    assert_string_equal(w.told.message, "");
    assert_string_equal(strbuf_text(&w.told.log), "noise\n");
    write_driver(&w, "echo '{\"power\":\"unknown\"}'");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_DONE);
    assert_int_equal(w.told.reading, POWER_UNKNOWN);
    world_done(&w);
}

static void a_driver_is_told_all_of_the_contract(void **state)
{
    static const char body[] = "printf '%s|' \"$@\" >argv; cat >stdin; env | sort >env; pwd >pwd;"
                               "echo '{}'";
    char text[8192];
    struct world w;
    json_t *order;

    (void)state;
    world_init(&w, body);
    assert_int_equal(setenv("HUDDLE_TEST_LEAK", "1", 1), 0);
    set(&w.pool.driver.settings, "socket", "/run/x");
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_ACCEPTED);
    assert_string_equal(read_file(&w, "argv", text), "on|a1|");
    read_file(&w, "env", text);
    assert_non_null(strstr(text, "HUDDLE_ACTION=on\nHUDDLE_DEADLINE_S=60\nHUDDLE_NODE=a1\n"
                                 "HUDDLE_OP=0123abcd\nLANG=C\n"));
    assert_null(strstr(text, "HUDDLE_TEST_LEAK"));
    assert_null(strstr(text, "HOME="));
    order = json_loads(read_file(&w, "stdin", text), 0, NULL);
    assert_non_null(order);
    assert_int_equal(json_integer_value(json_object_get(order, "v")), 1);
    assert_int_equal(json_integer_value(json_object_get(order, "attempt")), 3);
    assert_int_equal(json_integer_value(json_object_get(order, "deadline_s")), 60);
    assert_string_equal(json_string_value(json_object_get(order, "action")), "on");
    assert_string_equal(json_string_value(json_object_get(order, "op")), "0123abcd");
    assert_string_equal(json_string_value(json_object_get(json_object_get(order, "node"), "uid")),
                        "u-a1");
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(order, "settings"), "socket")), "/run/x");
    assert_int_equal(json_object_size(json_object_get(order, "secrets")), 0);
    json_decref(order);
    ask(&w, POWER_FORCE_OFF);
    assert_string_equal(read_file(&w, "argv", text), "force-off|a1|");
    ask(&w, POWER_PROBE);
    assert_string_equal(read_file(&w, "argv", text), "status|a1|");
    assert_int_equal(unsetenv("HUDDLE_TEST_LEAK"), 0);
    world_done(&w);
}

static void a_driver_inherits_nothing_of_ours(void **state)
{
    char text[8192], path[PATH_LONG];
    sigset_t blocked, before;
    struct world w;
    int leak;

    (void)state;
    world_init(&w, "ls /proc/self/fd >fds; cat /proc/self/status >status; ulimit -c >core;"
                   "ulimit -n >files; ps -o sid= -p $$ >sid 2>/dev/null; echo '{}'");
    leak = open(in(&w, "driver", path), O_RDONLY); /* not CLOEXEC: it would come along */
    assert_true(leak >= 0);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    ask(&w, POWER_WAKE);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(w.told.outcome, POWER_ACCEPTED);
    /* 0-2, the script itself, and the folder that ls reads. */
    assert_string_equal(read_file(&w, "fds", text), "0\n1\n2\n3\n4\n");
    read_file(&w, "status", text);
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
    assert_non_null(strstr(text, "SigIgn:\t"));
    assert_true(settable_signals(strstr(text, "SigIgn:\t") + strlen("SigIgn:\t")) == 0);
    assert_string_equal(read_file(&w, "core", text), "0\n");
    assert_string_equal(read_file(&w, "files", text), "256\n");
    (void)close(leak);
    world_done(&w);
}

/* --- bad answers --------------------------------------------------------------------------------
 */

static const struct {
    const char *body, *message; /* part of it */
    enum power_outcome probe, action;
} bad[] = {
    { ":", "said nothing", POWER_FAILED, POWER_ACCEPTED },
    { "echo on", "not JSON", POWER_FAILED, POWER_ACCEPTED },
    { "echo '[\"on\"]'", "JSON object", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":1}'", "power: expected", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"ON\"}'", "power: expected", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"off\",\"power\":\"on\"}'", "not JSON", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"off\"} x'", "not JSON", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"off\",\"watts\":-1}'", "watts", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"off\",\"message\":{}}'", "message", POWER_FAILED, POWER_ACCEPTED },
    { "printf '\\377\\376'", "not JSON", POWER_FAILED, POWER_ACCEPTED },
    { "echo '{\"power\":\"off\"}'; exit 1", "refused", POWER_REFUSED, POWER_REFUSED },
    { "echo '{\"message\":\"door open\"}'; exit 1", "refused: door open", POWER_REFUSED,
      POWER_REFUSED },
    { "echo first >&2; echo second >&2; exit 1", "refused: second", POWER_REFUSED, POWER_REFUSED },
    { "exit 69", "unsupported", POWER_UNSUPPORTED, POWER_UNSUPPORTED },
    { "exit 75", "try again later", POWER_BUSY, POWER_BUSY },
    { "echo '{\"power\":\"off\"}'; exit 2", "exit code 2", POWER_FAILED, POWER_FAILED },
    { "echo oops >&2; exit 77", "exit code 77: oops", POWER_FAILED, POWER_FAILED },
    { "echo '{\"power\":\"off\"}'; kill -SEGV $$", "signal 11", POWER_FAILED, POWER_FAILED },
    { "kill -9 $$", "signal 9", POWER_FAILED, POWER_FAILED },
    { "exec yes", "more than 64 KiB", POWER_FAILED, POWER_FAILED },
    { "exec yes >&2", "more than 64 KiB", POWER_FAILED, POWER_FAILED },
    { "exec >&-; exec 2>&-; exit 1", "refused", POWER_REFUSED, POWER_REFUSED },
};

static void bad_answers_are_never_a_reading(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        write_driver(&w, bad[i].body);
        ask(&w, POWER_PROBE);
        if (w.told.outcome != bad[i].probe || !strstr(w.told.message, bad[i].message))
            fail_msg("%s: outcome %d, %s", bad[i].body, w.told.outcome, w.told.message);
        assert_int_equal(w.told.reading, POWER_UNKNOWN);
        ask(&w, POWER_WAKE);
        if (w.told.outcome != bad[i].action)
            fail_msg("%s: on: outcome %d, %s", bad[i].body, w.told.outcome, w.told.message);
    }
    world_done(&w);
}

static void what_a_driver_says_is_one_short_printable_line(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, "printf '{\"message\":\"a\\\\nb\\\\u0007%s\"}' "
                   "$(head -c 5000 /dev/zero | tr '\\0' x); exit 1");
    ask(&w, POWER_WAKE);
    assert_memory_equal(w.told.message, "refused: a b xxx", 16);
    assert_true(strlen(w.told.message) < 300);
    write_driver(&w, "printf 'bad \\033[31m \\377 byte\\n' >&2; exit 1");
    ask(&w, POWER_WAKE);
    assert_string_equal(w.told.message, "refused: bad  [31m   byte");
    world_done(&w);
}

/* --- time ---------------------------------------------------------------------------------------
 */

static bool gone(pid_t pid)
{
    char path[64], text[256] = "";
    int fd;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    return n <= 0 || strstr(text, ") Z "); /* nobody may be there to bury an orphan */
}

static bool helper_gone(struct world *w)
{
    char text[8192];

    return gone(atoi(read_file(w, "helper", text)));
}

static void a_hanging_driver_is_ended_at_its_deadline(void **state)
{
    struct world w;
    int64_t begin = clock_boot_ms();

    (void)state;
    world_init(&w, "sleep 600 & echo $! >helper; wait");
    call_for(&w, "a1", POWER_PROBE, 400);
    wait_all(&w);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "in time"));
    assert_true(clock_boot_ms() - begin >= 400);
    wait_for(&w, helper_gone); /* its whole group was ended */
    world_done(&w);
}

static void a_driver_that_ignores_sigterm_is_killed(void **state)
{
    char text[8192];
    struct world w;
    int64_t begin = clock_boot_ms();

    (void)state;
    world_init(&w, "trap '' TERM; echo $$ >pid; while :; do sleep 1; done");
    call_for(&w, "a1", POWER_WAKE, 300);
    wait_all(&w);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_true(clock_boot_ms() - begin >= 5300);
    assert_true(gone(atoi(read_file(&w, "pid", text))));
    world_done(&w);
}

static void what_a_driver_leaves_behind_is_ended_and_not_waited_for(void **state)
{
    struct world w;

    (void)state; /* the helper holds stdout open: waiting for its end would take for ever */
    world_init(&w, "sleep 600 & echo $! >helper; echo '{\"power\":\"on\"}'");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_DONE);
    assert_int_equal(w.told.reading, POWER_ON);
    wait_for(&w, helper_gone);
    world_done(&w);
}

static bool driver_started(struct world *w)
{
    return count_files(w, "started") > 0;
}

static void calls_in_flight_end_with_the_queue(void **state)
{
    char text[8192];
    struct world w;

    (void)state;
    world_init(&w, "echo $$ >pid; : >started; exec sleep 600");
    call_for(&w, "a1", POWER_WAKE, LONG_MS);
    call_for(&w, "a1", POWER_PROBE, LONG_MS); /* waits */
    wait_for(&w, driver_started);
    power_free(TAKE(w.p));
    assert_true(gone(atoi(read_file(&w, "pid", text))));
    assert_int_equal(w.waiting, 2); /* no callback */
    world_done(&w);
}

/* --- who may run at once ------------------------------------------------------------------------
 */

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
    return count_files(w, "started-") >= POWER_CALLS_MAX;
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
    assert_int_equal(count_files(&w, "started-"), POWER_CALLS_MAX);
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

/* --- who may be run -----------------------------------------------------------------------------
 */

static void refused_program(struct world *w, const char *message)
{
    ask(w, POWER_WAKE);
    assert_int_equal(w->told.outcome, POWER_FAILED);
    if (!strstr(w->told.message, message))
        fail_msg("expected \"%s\" in: %s", message, w->told.message);
    assert_int_equal(count_files(w, "ran"), 0);
}

static void programs_that_others_could_change_are_refused(void **state)
{
    char path[PATH_LONG], loose[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, ": >ran");
    in(&w, "driver", path);
    assert_int_equal(chmod(path, 0757), 0);
    refused_program(&w, "chmod go-w");
    assert_int_equal(chmod(path, 0775), 0);
    refused_program(&w, "chmod go-w");
    assert_int_equal(chmod(path, 0644), 0);
    refused_program(&w, "chmod a+x");
    assert_int_equal(chmod(path, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        refused_program(&w, "owned by uid 12345");
        assert_int_equal(chown(path, 0, 0), 0);
    }
    assert_int_equal(chmod(w.folder, 0777), 0);
    refused_program(&w, "others may write this folder");
    assert_int_equal(chmod(w.folder, 0755), 0);
    /* The folder behind a symbolic link counts as well. */
    assert_int_equal(mkdir(in(&w, "loose", loose), 0755), 0);
    assert_int_equal(chmod(loose, 0777), 0);
    assert_int_equal(rename(path, in(&w, "loose/driver", loose)), 0);
    assert_int_equal(symlink("loose/driver", path), 0);
    refused_program(&w, "others may write this folder");
    w.pool.driver.program = (char *)"driver";
    refused_program(&w, "absolute path");
    w.pool.driver.program = w.folder;
    refused_program(&w, "not a file");
    w.pool.driver.program = (char *)"/no/such/driver";
    refused_program(&w, "No such file");
    w.pool.driver.type = (char *)"carrier-pigeon";
    refused_program(&w, "no power driver");
    world_done(&w);
}

static void a_symbolic_link_in_tmp_counts_by_its_owner(void **state)
{
    char link_path[64] = "/tmp/huddle-link-XXXXXX", path[PATH_LONG];
    struct world w;
    int fd, r;
    struct err e = ERR_INIT;

    (void)state;
    if (geteuid() != 0)
        SKIP(__func__, "only root can give a link away");
    world_init(&w, ":");
    assert_true((fd = mkstemp(link_path)) >= 0);
    (void)close(fd);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(symlink(in(&w, "driver", path), link_path), 0);
    assert_int_equal(exec_program_open(link_path, &fd, &e), 0);
    (void)close(fd);
    assert_int_equal(lchown(link_path, 12345, 12345), 0);
    r = exec_program_open(link_path, &fd, &e);
    assert_int_equal(unlink(link_path), 0);
    assert_int_equal(r, -EPERM);
    world_done(&w);
}

static void a_program_that_cannot_run_says_why(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, NULL);
    write_file(&w, "driver", 0755, "#!/no/such/shell\n");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "cannot be run: No such file"));
    write_file(&w, "driver", 0755,
               "\x7f"
               "ELF rubbish");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    assert_non_null(strstr(w.told.message, "cannot be run: Exec format error"));
    write_file(&w, "driver", 0755, "");
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_FAILED);
    world_done(&w);
}

/* What was checked is what is open, whatever the name means by now. */
static void a_swapped_name_changes_nothing(void **state)
{
    char path[PATH_LONG], other[PATH_LONG], text[64] = "";
    struct world w;
    int fd;

    (void)state;
    world_init(&w, NULL);
    write_file(&w, "driver", 0755, "good");
    write_file(&w, "other", 0755, "evil");
    assert_int_equal(exec_program_open(in(&w, "driver", path), &fd, NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(in(&w, "other", other), path), 0);
    assert_int_equal(read(fd, text, sizeof(text) - 1), 4);
    assert_string_equal(text, "good");
    (void)close(fd);
    world_done(&w);
}

/* --- secrets ------------------------------------------------------------------------------------
 */

#define CANARY "canary-7f3a"

static void assert_no_canary(const char *where, const char *text)
{
    if (strstr(text, "canary") || strstr(text, "7f3a"))
        fail_msg("a secret is in the %s: %s", where, text);
}

static void secrets_reach_stdin_alone_and_are_redacted(void **state)
{
    static const char body[] =
        "cat >stdin; tr '\\0' '\\n' </proc/$$/cmdline >cmdline; tr '\\0' '\\n' </proc/$$/environ "
        ">environ; grep -o canary.7f3a stdin >&2; cat stdin >&2;"
        "echo \"{\\\"message\\\":\\\"login " CANARY " failed\\\"}\"; exit 1";
    char text[8192], path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, body);
    write_file(&w, "password", 0600, CANARY "\n");
    set(&w.pool.driver.secrets, "password", in(&w, "password", path));
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_REFUSED);
    assert_non_null(strstr(read_file(&w, "stdin", text), "\"password\":\"" CANARY "\""));
    assert_no_canary("arguments", read_file(&w, "cmdline", text));
    assert_no_canary("environment", read_file(&w, "environ", text));
    assert_no_canary("message", w.told.message);
    assert_string_equal(w.told.message, "refused: login *** failed");
    assert_no_canary("log", strbuf_text(&w.told.log));
    assert_non_null(strstr(strbuf_text(&w.told.log), "***"));
    world_done(&w);
}

/* Quotes are escaped in what the driver reads; many lines; and cuts that would leave a half. */
static void secrets_are_found_in_every_shape(void **state)
{
    char path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, "cat >&2; exit 1");
    write_file(&w, "password", 0600, "canary\"7f3a\\q\n-----BEGIN-----\ncanary2\n");
    set(&w.pool.driver.secrets, "password", in(&w, "password", path));
    ask(&w, POWER_WAKE);
    assert_no_canary("message", w.told.message);
    assert_no_canary("log", strbuf_text(&w.told.log));

    write_file(&w, "password", 0600, CANARY);
    write_driver(&w, "head -c 16380 /dev/zero | tr '\\0' x >&2; printf " CANARY " >&2; exit 1");
    ask(&w, POWER_WAKE); /* 16 KiB end inside the secret */
    assert_non_null(strstr(strbuf_text(&w.told.log), "xxx"));
    assert_null(strstr(strbuf_text(&w.told.log), "cana"));
    write_driver(&w, "printf '%s" CANARY "' $(head -c 250 /dev/zero | tr '\\0' x) >&2; exit 1");
    ask(&w, POWER_WAKE); /* the line is cut inside it */
    assert_null(strstr(w.told.message, "cana"));
    write_driver(&w, "echo " CANARY);
    ask(&w, POWER_PROBE); /* not JSON */
    assert_no_canary("message", w.told.message);
    world_done(&w);
}

static void a_secret_that_cannot_be_read_is_named(void **state)
{
    char path[PATH_LONG];
    struct world w;

    (void)state;
    world_init(&w, ": >ran");
    set(&w.pool.driver.secrets, "password", in(&w, "missing", path));
    refused_program(&w, "secrets.password");
    write_file(&w, "missing", 0600, "\xff\xfe");
    refused_program(&w, "secrets.password");
    w.secrets[0].value = (char *)"etc/passwd";
    refused_program(&w, "absolute path");
    w.secrets[0].value = (char *)"/dev/zero";
    refused_program(&w, "secrets.password");
    world_done(&w);
}

/* --- the others ---------------------------------------------------------------------------------
 */

static void none_supports_nothing(void **state)
{
    struct world w;

    (void)state;
    world_init(&w, NULL);
    w.pool.driver.type = (char *)"none";
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_UNSUPPORTED);
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_UNSUPPORTED);
    assert_non_null(strstr(w.told.message, "no power driver"));
    world_done(&w);
}

/* The lab's switch, asked by the real driver: they must mean the same contract. */
static void on_lab(void *data, int fd, unsigned events)
{
    char line[256] = "";
    int peer = accept(fd, NULL, NULL);
    struct world *w = data;
    ssize_t n;

    (void)events;
    assert_true(peer >= 0);
    n = read(peer, line, sizeof(line) - 1);
    assert_true(n > 0);
    write_file(w, "asked", 0600, line);
    assert_int_equal(write(peer, "off\n", 4), 4);
    (void)close(peer);
}

static void the_labs_switch_keeps_the_contract(void **state)
{
    const char *lab = *state;
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char text[8192], path[PATH_LONG];
    struct loop_io *io;
    struct world w;
    int fd;

    SKIP_WHEN_EMULATED("a program of the other architecture cannot be run by its descriptor");
    world_init(&w, NULL);
    snprintf(w.program, sizeof(w.program), "%s", lab);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/switch", w.folder);
    set(&w.pool.driver.settings, "socket", in(&w, "switch", path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(loop_io_add(w.l, fd, LOOP_READ, on_lab, &w, &io), 0);
    ask(&w, POWER_PROBE);
    assert_int_equal(w.told.outcome, POWER_DONE);
    assert_int_equal(w.told.reading, POWER_OFF);
    assert_string_equal(read_file(&w, "asked", text), "status a1\n");
    ask(&w, POWER_WAKE);
    assert_int_equal(w.told.outcome, POWER_ACCEPTED);
    assert_string_equal(read_file(&w, "asked", text), "on a1\n");
    loop_io_remove(io);
    (void)close(fd);
    ask(&w, POWER_PROBE); /* nobody answers there any more */
    assert_int_equal(w.told.outcome, POWER_BUSY);
    world_done(&w);
}

int main(int argc, char **argv)
{
    static char lab[PATH_LONG];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_reads_power),
        cmocka_unit_test(a_driver_is_told_all_of_the_contract),
        cmocka_unit_test(a_driver_inherits_nothing_of_ours),
        cmocka_unit_test(bad_answers_are_never_a_reading),
        cmocka_unit_test(what_a_driver_says_is_one_short_printable_line),
        cmocka_unit_test(a_hanging_driver_is_ended_at_its_deadline),
        cmocka_unit_test(a_driver_that_ignores_sigterm_is_killed),
        cmocka_unit_test(what_a_driver_leaves_behind_is_ended_and_not_waited_for),
        cmocka_unit_test(calls_in_flight_end_with_the_queue),
        cmocka_unit_test(one_call_per_node_in_order),
        cmocka_unit_test(one_call_per_group),
        cmocka_unit_test(a_group_may_take_several),
        cmocka_unit_test(a_node_names_its_group_by_label),
        cmocka_unit_test(sixteen_in_all_and_late_ones_are_told_so),
        cmocka_unit_test(programs_that_others_could_change_are_refused),
        cmocka_unit_test(a_symbolic_link_in_tmp_counts_by_its_owner),
        cmocka_unit_test(a_program_that_cannot_run_says_why),
        cmocka_unit_test(a_swapped_name_changes_nothing),
        cmocka_unit_test(secrets_reach_stdin_alone_and_are_redacted),
        cmocka_unit_test(secrets_are_found_in_every_shape),
        cmocka_unit_test(a_secret_that_cannot_be_read_is_named),
        cmocka_unit_test(none_supports_nothing),
        cmocka_unit_test_prestate(the_labs_switch_keeps_the_contract, lab),
    };
    char *real = realpath(argc > 0 ? argv[0] : ".", NULL), *slash;

    for (int up = 0; real && up < 2 && (slash = strrchr(real, '/')); up++)
        *slash = '\0'; /* build/MODE/test/power_test -> build/MODE */
    snprintf(lab, sizeof(lab), "%s/lab-power", real ? real : ".");
    free(real);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
