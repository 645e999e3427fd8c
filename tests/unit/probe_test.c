/* Probes: each kind answers once, good or bad, in time, and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/replica/identity.h"
#include "agent/replica/probe.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/httpd.h"

#define PATIENCE_MS 30000

struct world {
    struct loop *l;
    struct http_client *c;
    struct loop_timer *tick;
    int64_t until_ms;
    int wanted; /* answers, before the loop stops */
    bool alone; /* and no child is left */
    struct launch launch;
    int listener;
    uint32_t port;
    struct probe *probe;
    int answers;
    bool ready;
    char why[512];
};

/* Has every child of ours ended and been waited for? */
static bool is_alone(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}

static void on_tick(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (now_ms > w->until_ms)
        loop_stop(w->l, -1);
    else if (w->answers >= w->wanted && (!w->alone || is_alone()))
        loop_stop(w->l, 0);
    loop_timer_arm(w->tick, now_ms + 3);
}

static void on_answer(void *data, bool ready, const char *why)
{
    struct world *w = data;

    w->answers++;
    w->ready = ready;
    (void)snprintf(w->why, sizeof(w->why), "%s", why);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->listener = -1;
    assert_int_equal(loop_new(&w->l, NULL), 0);
    assert_int_equal(http_client_new(w->l, &w->c, NULL), 0);
    w->tick = loop_timer_add(w->l, on_tick, w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    http_client_free(w->c);
    loop_timer_remove(w->tick);
    loop_free(w->l);
    launch_done(&w->launch);
    if (w->listener >= 0)
        assert_int_equal(close(w->listener), 0);
    free(w);
    return 0;
}

static void look(struct world *w, struct wire_probe spec)
{
    struct probe_target target = { "127.0.0.1", w->port, &w->launch };

    spec.path = spec.path ? spec.path : "";
    w->probe = probe_start(w->l, w->c, &spec, &target, on_answer, w);
    assert_int_equal(w->answers, 0); /* never from inside */
}

static void wait_for(struct world *w, int answers, bool alone)
{
    w->wanted = answers;
    w->alone = alone;
    w->until_ms = clock_boot_ms() + PATIENCE_MS;
    loop_timer_arm(w->tick, clock_boot_ms());
    if (loop_run(w->l) < 0)
        fail_msg("waited in vain");
    assert_int_equal(w->answers, answers);
}

static void wait_for_answer(struct world *w)
{
    wait_for(w, 1, false);
}

static void listen_here(struct world *w, int backlog)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof(at);

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(w->listener >= 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&at, sizeof(at)), 0);
    if (backlog >= 0)
        assert_int_equal(listen(w->listener, backlog), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&at, &n), 0);
    w->port = ntohs(at.sin_port);
}

static void command(struct world *w, const char *script)
{
    launch_argument(&w->launch, "/bin/sh");
    launch_argument(&w->launch, "-c");
    launch_argument(&w->launch, script);
    launch_variable(&w->launch, "PATH", "/usr/bin:/bin");
}

#define assert_says(text, part)                                      \
    do {                                                             \
        if (!strstr((text), (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (text), (part)); \
    } while (0)

/* --- none and TCP ------------------------------------------------------------------------------
 */

static void without_a_probe_all_is_ready(void **state)
{
    struct world *w = *state;

    look(w, (struct wire_probe){ .kind = PROBE_NONE });
    wait_for_answer(w);
    assert_true(w->ready);
    assert_string_equal(w->why, "");
}

static void tcp_is_ready_when_it_accepts(void **state)
{
    struct world *w = *state;

    listen_here(w, 4);
    look(w, (struct wire_probe){ .kind = PROBE_TCP });
    wait_for_answer(w);
    assert_true(w->ready);
}

static void tcp_refused_is_not_ready(void **state)
{
    struct world *w = *state;

    listen_here(w, -1); /* bound, so that nobody else takes the port, but deaf */
    look(w, (struct wire_probe){ .kind = PROBE_TCP });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_string_equal(w->why, "Connection refused");
}

static void the_probes_own_port_has_precedence(void **state)
{
    struct world *w = *state;
    uint32_t open_port;

    listen_here(w, 4);
    open_port = w->port;
    w->port = 1;
    look(w, (struct wire_probe){ .kind = PROBE_TCP, .port = open_port });
    wait_for_answer(w);
    assert_true(w->ready);
}

static void tcp_needs_an_ip_address(void **state)
{
    struct world *w = *state;
    struct wire_probe spec = { .kind = PROBE_TCP, .path = "" };
    struct probe_target target = { "node.example", 80, NULL };

    (void)probe_start(w->l, w->c, &spec, &target, on_answer, w);
    wait_for_answer(w);
    assert_false(w->ready);
    assert_says(w->why, "node.example: not an IP address");
}

/* --- HTTP --------------------------------------------------------------------------------------
 */

static void serve(void *data, struct httpd_call *call)
{
    int status = atoi(httpd_path(call) + 1);

    (void)data;
    if (status == 302)
        httpd_add_header(call, "Location", "/500");
    httpd_reply(call, status, "text/plain", "x", 1);
}

static void http_is_ready_at_2xx_and_3xx(void **state)
{
    static const struct {
        const char *path;
        bool ready;
        const char *why;
    } cases[] = {
        { "/200", true, "" },          { "/204", true, "" },          { "302", true, "" },
        { "/404", false, "HTTP 404" }, { "/503", false, "HTTP 503" },
    };
    struct world *w = *state;
    struct httpd_options options = { .address = "127.0.0.1", .handler = serve };
    AUTO(httpd) struct httpd *h = NULL;

    assert_int_equal(httpd_new(&options, &h, NULL), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        w->port = httpd_port(h);
        look(w,
             (struct wire_probe){ .kind = PROBE_HTTP, .path = cases[i].path, .timeout_ms = 9000 });
        wait_for_answer(w);
        assert_int_equal(w->ready, cases[i].ready);
        assert_string_equal(w->why, cases[i].why);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
        w = *state;
    }
}

static void http_without_an_answer_is_not_ready(void **state)
{
    struct world *w = *state;
    int64_t before_ms = clock_boot_ms();

    listen_here(w, 4); /* accepted by the kernel, answered by nobody */
    look(w, (struct wire_probe){ .kind = PROBE_HTTP, .path = "/", .timeout_ms = 100 });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_true(clock_boot_ms() - before_ms >= 95);
    assert_true(strlen(w->why) > 0);
}

static void http_refused_says_so(void **state)
{
    struct world *w = *state;

    listen_here(w, -1);
    look(w, (struct wire_probe){ .kind = PROBE_HTTP, .path = "/" });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_says(w->why, "127.0.0.1");
}

/* --- EXEC --------------------------------------------------------------------------------------
 */

static void a_command_is_ready_at_exit_code_0(void **state)
{
    struct world *w = *state;

    command(w, "echo noise; exit 0");
    look(w, (struct wire_probe){ .kind = PROBE_EXEC, .timeout_ms = 9000 });
    wait_for_answer(w);
    assert_true(w->ready);
}

static void a_command_that_fails_says_what_it_said(void **state)
{
    struct world *w = *state;

    command(w, "echo not loaded >&2; exit 4");
    look(w, (struct wire_probe){ .kind = PROBE_EXEC, .timeout_ms = 9000 });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_string_equal(w->why, "exit code 4: not loaded");
}

static void a_missing_command_is_told(void **state)
{
    struct world *w = *state;

    launch_argument(&w->launch, "/no/such/probe");
    launch_variable(&w->launch, "A", "b");
    look(w, (struct wire_probe){ .kind = PROBE_EXEC, .timeout_ms = 9000 });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_string_equal(w->why, "cannot execute /no/such/probe: No such file or directory");
}

static void a_command_without_words_is_told(void **state)
{
    struct world *w = *state;

    look(w, (struct wire_probe){ .kind = PROBE_EXEC });
    wait_for_answer(w);
    assert_string_equal(w->why, "no command to run");
}

static void a_slow_command_is_killed_with_its_children(void **state)
{
    struct world *w = *state;
    char path[] = "/tmp/huddle-probe-XXXXXX", script[128], text[32] = "";
    int fd = mkstemp(path);
    struct process_stat st;
    pid_t child;

    assert_true(fd >= 0);
    (void)snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; sleep 1000", path);
    command(w, script);
    look(w, (struct wire_probe){ .kind = PROBE_EXEC, .timeout_ms = 300 });
    wait_for(w, 1, true);
    assert_false(w->ready);
    assert_string_equal(w->why, "no answer within 300 ms");
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    child = (pid_t)strtol(text, NULL, 10); /* 0 when the time was up even before that */
    while (child && process_stat_read("/proc", child, &st) == 0 && st.state != 'Z')
        assert_true(clock_boot_ms() < w->until_ms);
}

static void much_output_is_bounded(void **state)
{
    struct world *w = *state;

    command(w, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf '%01000d' 0; done; exit 1");
    look(w, (struct wire_probe){ .kind = PROBE_EXEC, .timeout_ms = 20000 });
    wait_for_answer(w);
    assert_false(w->ready);
    assert_in_range(strlen(w->why), 300, 330);
}

/* --- cancelling --------------------------------------------------------------------------------
 */

static void what_is_cancelled_does_not_answer(void **state)
{
    struct world *w = *state;
    struct wire_probe specs[] = {
        { .kind = PROBE_NONE },
        { .kind = PROBE_TCP },
        { .kind = PROBE_HTTP, .path = "/" },
        { .kind = PROBE_EXEC, .timeout_ms = 9000 },
    };

    listen_here(w, 4);
    command(w, "sleep 1000");
    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        look(w, specs[i]);
        probe_cancel(w->probe);
    }
    wait_for(w, 0, true);
    probe_cancel(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_probe_all_is_ready),
        TEST(tcp_is_ready_when_it_accepts),
        TEST(tcp_refused_is_not_ready),
        TEST(the_probes_own_port_has_precedence),
        TEST(tcp_needs_an_ip_address),
        TEST(http_is_ready_at_2xx_and_3xx),
        TEST(http_without_an_answer_is_not_ready),
        TEST(http_refused_says_so),
        TEST(a_command_is_ready_at_exit_code_0),
        TEST(a_command_that_fails_says_what_it_said),
        TEST(a_missing_command_is_told),
        TEST(a_command_without_words_is_told),
        TEST(a_slow_command_is_killed_with_its_children),
        TEST(much_output_is_bounded),
        TEST(what_is_cancelled_does_not_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
