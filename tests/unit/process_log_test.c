/* Logs of replicas: their bound, their last lines, and how many are kept. */
#include "tests/unit/process_world.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/replica/log_tail.h"

/* --- the log ----------------------------------------------------------------------------------
 */

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

/* Written at once: the copier reads as much as it can, and no line ends at the bound. */
static void a_line_is_not_cut_where_the_log_moves(void **state)
{
    struct world *w = *state;
    char path[256], line[2048];
    unsigned n_lines = 0, last = 0;

    w->options.log_bytes = 128 << 10;
    run(w, "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf '%03d %01000d\n' $i 0; done "
           "| dd bs=1M iflag=fullblock status=none");
    for (int i = 1; i >= 0; i--) {
        FILE *f;

        path_of(w, "m-1", i ? "log.1" : "log", path);
        f = fopen(path, "r");
        assert_non_null(f);
        for (; fgets(line, sizeof(line), f); n_lines++) {
            unsigned number = (unsigned)strtoul(line, NULL, 10);

            assert_int_equal(strlen(line), 1005);
            assert_true(n_lines == 0 || number == last + 1);
            last = number;
        }
        assert_int_equal(fclose(f), 0);
    }
    assert_int_equal(last, 300);
    assert_in_range(n_lines, 65, 130);
}

/* A run that ends without a word must not be explained by those of an earlier one. */
static void last_words_are_of_the_newest_run(void **state)
{
    static const struct {
        const char *script, *tail;
    } runs[] = {
        { "printf 'out of memory'; exit 1", "out of memory" }, /* without the end of the line */
        { "exit 2", "" },
        { "echo no weights; exit 3", "no weights" },
        { "exit 4", "" },
    };
    struct world *w = *state;
    AUTO(strbuf) struct strbuf log = STRBUF_INIT;
    char path[256], line[256];
    FILE *f;

    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        run(w, runs[i].script);
        assert_string_equal(w->told.tail, runs[i].tail);
        close_agent(w);
    }
    path_of(w, "m-1", "log", path);
    f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f))
        strbuf_puts(&log, line);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(strbuf_text(&log), /* all of it is there for people */
                        "out of memory\n[huddle: started again]\n"
                        "\n[huddle: started again]\nno weights\n"
                        "\n[huddle: started again]\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_log_is_bounded_and_keeps_the_end),
        TEST(a_line_is_not_cut_where_the_log_moves),
        TEST(last_words_are_of_the_newest_run),
        TEST(a_log_that_cannot_be_written_stops_nobody),
        TEST(folders_of_the_ended_are_kept_but_not_for_ever),
        cmocka_unit_test(tails_are_one_printable_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
