/* Talking to a Runtime API: a peer in the same loop answers well, in pieces, late, or not at all.
 */
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
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/substrate/haproxy_call.h"
#include "controller/substrate/haproxy_process.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct world {
    struct loop *loop;
    char folder[32], path[64];
    int listener, peer;
    struct loop_io *listener_io, *peer_io;
    const char *pieces[4]; /* of the answer, one a turn; NULL: then it closes */
    int n_piece;
    bool mute; /* it never says anything */
    struct strbuf asked;
    struct haproxy_call *call;
    bool cancel_at_line;
    /* What came of it. */
    int result, n_done, n_lines, n_ended;
    char text[ERR_TEXT_MAX], lines[256];
};

static void peer_close(struct world *w)
{
    loop_io_remove(w->peer_io);
    (void)close(w->peer);
    w->peer_io = NULL;
    w->peer = -1;
}

static void on_peer(void *data, int fd, unsigned events)
{
    struct world *w = data;
    char part[HAPROXY_LINE_MAX + 1];

    if (events & LOOP_READ) {
        ssize_t n = recv(fd, part, sizeof(part), MSG_DONTWAIT);

        if (n > 0)
            strbuf_add(&w->asked, part, (size_t)n);
        else if (n == 0) {
            peer_close(w);
            return;
        }
        if (!w->mute && strchr(strbuf_text(&w->asked), '\n'))
            (void)loop_io_change(w->peer_io, LOOP_WRITE);
        return;
    }
    if (!w->pieces[w->n_piece]) {
        peer_close(w);
        return;
    }
    assert_true(send(fd, w->pieces[w->n_piece], strlen(w->pieces[w->n_piece]), 0) > 0);
    w->n_piece++;
}

static void on_connection(void *data, int fd, unsigned events)
{
    struct world *w = data;

    (void)events;
    if (w->peer >= 0)
        peer_close(w);
    w->peer = accept(fd, NULL, NULL);
    assert_true(w->peer >= 0);
    assert_int_equal(loop_io_add(w->loop, w->peer, LOOP_READ, on_peer, w, &w->peer_io), 0);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    w->peer = -1;
    strcpy(w->folder, "/tmp/call_test.XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof(w->path), "%s/sock", w->folder);
    memcpy(address.sun_path, w->path, strlen(w->path) + 1);
    w->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(w->listener, 4), 0);
    assert_int_equal(loop_new(&w->loop, NULL), 0);
    assert_int_equal(
        loop_io_add(w->loop, w->listener, LOOP_READ, on_connection, w, &w->listener_io), 0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    if (w->peer >= 0)
        peer_close(w);
    loop_io_remove(w->listener_io);
    (void)close(w->listener);
    (void)unlink(w->path);
    (void)rmdir(w->folder);
    loop_free(w->loop);
    strbuf_done(&w->asked);
    free(w);
    return 0;
}

static void on_answer(void *data, struct haproxy_answer *answer)
{
    struct world *w = data;

    w->n_done++;
    w->result = answer->result;
    snprintf(w->text, sizeof(w->text), "%s", answer->result ? answer->error.text : answer->text);
    loop_stop(w->loop, 0);
}

static void ask(struct world *w, const char *line, int64_t timeout_ms)
{
    assert_int_equal(haproxy_call(w->loop, w->path, line, timeout_ms, on_answer, w, &w->call, NULL),
                     0);
    assert_int_equal(w->n_done, 0); /* never from inside */
    (void)loop_run(w->loop);
    assert_int_equal(w->n_done, 1);
}

static void an_answer_in_pieces(void **state)
{
    struct world *w = *state;

    w->pieces[0] = "one\n";
    w->pieces[1] = "two";
    w->pieces[2] = "\n\n";
    ask(w, "show info;show stat", 10000);
    assert_int_equal(w->result, 0);
    assert_string_equal(w->text, "one\ntwo\n\n");
    assert_string_equal(strbuf_text(&w->asked), "show info;show stat\n");
}

static void no_answer_at_all(void **state)
{
    struct world *w = *state;

    ask(w, "show info", 10000);
    assert_int_equal(w->result, 0);
    assert_string_equal(w->text, "");
}

static void silence_times_out(void **state)
{
    struct world *w = *state;

    w->mute = true;
    ask(w, "show info", 20);
    assert_int_equal(w->result, -ETIMEDOUT);
    assert_string_equal(strbuf_text(&w->asked), "show info\n");
}

static void nobody_listens(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;
    char long_path[200] = "/";

    memset(long_path + 1, 'x', sizeof(long_path) - 2);
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(haproxy_call(w->loop, long_path, "x", 9, on_answer, w, &w->call, &e),
                     -ENAMETOOLONG);
    assert_int_equal(
        haproxy_call(w->loop, "/tmp/call_test.none", "x", 9, on_answer, w, &w->call, &e), -ENOENT);
    assert_non_null(strstr(e.text, "call_test.none"));
    loop_io_remove(w->listener_io);
    w->listener_io = NULL;
    (void)close(w->listener); /* its file stays, as when HAProxy was killed */
    assert_int_equal(haproxy_call(w->loop, w->path, "x", 9, on_answer, w, &w->call, &e),
                     -ECONNREFUSED);
    w->listener = dup(0);
}

static void lines_have_a_limit(void **state)
{
    struct world *w = *state;
    char *line = xcalloc(HAPROXY_LINE_MAX + 2, 1);

    memset(line, 'x', HAPROXY_LINE_MAX + 1);
    assert_int_equal(haproxy_call(w->loop, w->path, line, 9, on_answer, w, &w->call, NULL), -E2BIG);
    line[HAPROXY_LINE_MAX] = '\0';
    ask(w, line, 10000);
    assert_int_equal(w->result, 0);
    assert_int_equal(w->asked.length, HAPROXY_LINE_MAX + 1);
    free(line);
}

static void a_cancelled_call_says_nothing(void **state)
{
    struct world *w = *state;

    w->mute = true;
    assert_int_equal(haproxy_call(w->loop, w->path, "x", 1, on_answer, w, &w->call, NULL), 0);
    haproxy_call_cancel(w->call);
    haproxy_call_cancel(NULL);
    w->mute = false;
    ask(w, "y", 10000); /* outlives the first one's time-out */
    assert_int_equal(w->n_done, 1);
}

/* --- following ----------------------------------------------------------------------------------
 */

static void on_line(void *data, char *line)
{
    struct world *w = data;
    size_t n = strlen(w->lines);

    w->n_lines++;
    snprintf(w->lines + n, sizeof(w->lines) - n, "%s|", line);
    if (w->cancel_at_line) {
        haproxy_call_cancel(w->call);
        w->call = NULL;
        loop_stop(w->loop, 0);
    }
}

static void on_ended(void *data)
{
    struct world *w = data;

    w->n_ended++;
    loop_stop(w->loop, 0);
}

static void follow(struct world *w)
{
    assert_int_equal(
        haproxy_follow(w->loop, w->path, "show events", on_line, on_ended, w, &w->call, NULL), 0);
    (void)loop_run(w->loop);
}

static void lines_as_they_come(void **state)
{
    struct world *w = *state;

    w->pieces[0] = "one\ntw";
    w->pieces[1] = "o\n\nthr";
    w->pieces[2] = "ee\ncut off";
    follow(w);
    assert_string_equal(w->lines, "one|two||three|");
    assert_int_equal(w->n_ended, 1);
}

static void an_overlong_line_is_dropped(void **state)
{
    struct world *w = *state;
    char *piece = xcalloc(1002, 1);

    memset(piece, 'x', 1000);
    w->pieces[0] = piece;
    w->pieces[1] = piece;
    w->pieces[2] = "xxx\nfine\n";
    follow(w);
    assert_string_equal(w->lines, "fine|");
    free(piece);
}

static void a_line_may_end_it(void **state)
{
    struct world *w = *state;

    w->cancel_at_line = true;
    w->pieces[0] = "one\ntwo\n";
    follow(w);
    assert_string_equal(w->lines, "one|");
    assert_int_equal(w->n_ended, 0);
}

/* --- processes ----------------------------------------------------------------------------------
 */

static void on_started(void *data, int result, const char *said)
{
    struct world *w = data;

    w->n_done++;
    w->result = result;
    snprintf(w->text, sizeof(w->text), "%s", said);
    loop_stop(w->loop, 0);
}

static void launch(struct world *w, const char *script)
{
    char program[64];
    struct haproxy_start start = { .program = program, .config = "/c", .pid_file = "/p" };
    struct haproxy_launch *x = NULL;
    int fd;

    snprintf(program, sizeof(program), "%s/haproxy", w->folder);
    fd = open(program, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(write(fd, script, strlen(script)) == (ssize_t)strlen(script));
    (void)close(fd);
    start.replaces = 12;
    start.takeover = "/s";
    assert_int_equal(haproxy_launch(w->loop, &start, on_started, w, &x, NULL), 0);
    (void)loop_run(w->loop);
    (void)unlink(program);
    assert_int_equal(w->n_done, 1);
}

static void a_start_that_works(void **state)
{
    struct world *w = *state;

    /* It gets no environment and no folder of ours, nor the listener, which is not close-on-exec.
     */
    launch(
        w,
        "#!/bin/sh\nn=$(ls -l /proc/$$/fd | grep -c socket:)\nprintf '%s' \"$* $PWD,$HOME,$n\"\n");
    assert_int_equal(w->result, 0);
    assert_string_equal(w->text, "-D -f /c -p /p -x /s -sf 12 /,,0");
}

static void a_start_that_fails_says_why(void **state)
{
    struct world *w = *state;

    launch(w, "#!/bin/sh\necho first\necho '[ALERT]    (77) : cannot bind socket' >&2\nexit 1\n");
    assert_int_equal(w->result, -ECHILD);
    assert_string_equal(w->text, "cannot bind socket");
    w->n_done = 0;
    launch(w, "#!/bin/sh\nkill -9 $$\n");
    assert_int_equal(w->result, -ECHILD);
    assert_string_equal(w->text, "killed by signal 9");
    w->n_done = 0;
    launch(w, "#!/bin/sh\nexit 3\n");
    assert_int_equal(w->result, -ECHILD);
    assert_string_equal(w->text, "exit code 3");
}

static void a_program_that_is_not_there(void **state)
{
    struct world *w = *state;
    struct haproxy_start start = { .program = "/no/such", .config = "/c", .pid_file = "/p" };
    struct haproxy_launch *x = NULL;
    struct err e = ERR_INIT;
    int r = haproxy_launch(w->loop, &start, on_started, w, &x, &e);

    if (r == 0) { /* POSIX allows to tell it later, and where vfork is emulated it is so */
        (void)loop_run(w->loop);
        assert_int_equal(w->result, -ECHILD);
        assert_string_equal(w->text, "exit code 127");
    } else {
        assert_int_equal(r, -ENOENT);
        assert_string_equal(e.text, "/no/such: No such file or directory");
    }
}

static void what_is_there_is_found(void **state)
{
    char *found;

    (void)state;
    assert_null(haproxy_find_program("/no/such"));
    assert_null(haproxy_find_program("no-such-program-anywhere"));
    found = haproxy_find_program("sh");
    assert_non_null(found);
    assert_int_equal(found[0], '/');
    free(found);
    assert_false(haproxy_runs(getpid(), "no argument of ours"));
    assert_false(haproxy_runs(0, ""));
    assert_int_equal(haproxy_read_pid("/no/such"), 0);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(an_answer_in_pieces),
        WITH(no_answer_at_all),
        WITH(silence_times_out),
        WITH(nobody_listens),
        WITH(lines_have_a_limit),
        WITH(a_cancelled_call_says_nothing),
        WITH(lines_as_they_come),
        WITH(an_overlong_line_is_dropped),
        WITH(a_line_may_end_it),
        WITH(a_start_that_works),
        WITH(a_start_that_fails_says_why),
        WITH(a_program_that_is_not_there),
        cmocka_unit_test(what_is_there_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
