/* The power driver "exec" with programs that answer well, badly, never or too much; and the other
 * drivers. */
#include "tests/unit/power_world.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/base/array.h"
#include "tests/unit/emulated.h"

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
                   "ps -o sid= -p $$ >sid 2>/dev/null; echo '{}'");
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
    (void)close(leak);
    world_done(&w);
}

static void a_driver_may_open_few_files(void **state)
{
    char text[8192];
    struct world w;

    (void)state;
    SKIP_UNDER_VALGRIND("the limit of descriptors that it keeps is not handed on by exec");
    world_init(&w, "ulimit -n >files; echo '{}'");
    ask(&w, POWER_WAKE);
    assert_string_equal(read_file(&w, "files", text), "256\n");
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
    w.allowed[0] = (char *)"/"; /* wherever it was built */
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
        cmocka_unit_test(a_driver_may_open_few_files),
        cmocka_unit_test(bad_answers_are_never_a_reading),
        cmocka_unit_test(what_a_driver_says_is_one_short_printable_line),
        cmocka_unit_test(a_hanging_driver_is_ended_at_its_deadline),
        cmocka_unit_test(a_driver_that_ignores_sigterm_is_killed),
        cmocka_unit_test(what_a_driver_leaves_behind_is_ended_and_not_waited_for),
        cmocka_unit_test(calls_in_flight_end_with_the_queue),
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
