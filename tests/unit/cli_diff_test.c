/* Unified diffs, proven by applying them; and declared objects laid over live ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/diff.h"
#include "controller/cli/merge.h"
#include "proto/base/random.h"

static void equal_texts_have_no_diff(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    assert_false(diff_unified(&out, "a", "x\ny\n", "b", "x\ny\n", false));
    assert_int_equal(out.length, 0);
}

static void one_change_has_its_context(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    assert_true(diff_unified(&out, "live", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "declared",
                             "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", false));
    assert_string_equal(strbuf_text(&out), "--- live\n+++ declared\n@@ -2,7 +2,7 @@\n"
                                           " 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

static void a_new_text_is_all_added(void **state)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    (void)state;
    assert_true(diff_unified(&out, "live", "", "declared", "a\nb\n", false));
    assert_string_equal(strbuf_text(&out), "--- live\n+++ declared\n@@ -0,0 +1,2 @@\n+a\n+b\n");
}

static void far_changes_are_hunks_of_their_own(void **state)
{
    AUTO(strbuf) struct strbuf before = STRBUF_INIT, after = STRBUF_INIT, out = STRBUF_INIT;
    size_t hunks = 0;

    (void)state;
    for (int i = 0; i < 40; i++) {
        strbuf_printf(&before, "%d\n", i);
        strbuf_printf(&after, i == 5 || i == 30 ? "x\n" : "%d\n", i);
    }
    assert_true(diff_unified(&out, "a", strbuf_text(&before), "b", strbuf_text(&after), true));
    for (const char *s = strbuf_text(&out); (s = strstr(s, "@@ -")); s++)
        hunks++;
    assert_int_equal(hunks, 2);
    assert_non_null(strstr(strbuf_text(&out), "\033[32m+x\033[0m"));
}

/* --- a diff turns the one text into the other --------------------------------------------------
 */

static void copy_line(struct strbuf *out, const char *at)
{
    strbuf_add(out, at, strcspn(at, "\n") + 1);
}

static const char *next_line(const char *at)
{
    return at + strcspn(at, "\n") + 1;
}

/* Applies a unified diff strictly: every context and removed line must stand where it says. */
static void patch(struct strbuf *out, const char *before, const char *diff)
{
    size_t line = 1;

    diff = next_line(next_line(diff));
    while (*diff) {
        size_t from = strtoul(diff + 4, NULL, 10);

        assert_true(strncmp(diff, "@@ -", 4) == 0);
        from += strncmp(strchr(diff, ' ') + 1 + strcspn(diff + 4, ", ") + 1, ",0", 2) == 0;
        for (; line < from; line++, before = next_line(before))
            copy_line(out, before);
        for (diff = next_line(diff); *diff && *diff != '@'; diff = next_line(diff)) {
            if (*diff == '+') {
                copy_line(out, diff + 1);
                continue;
            }
            assert_true(strncmp(before, diff + 1, strcspn(before, "\n") + 1) == 0);
            if (*diff == ' ')
                copy_line(out, before);
            before = next_line(before);
            line++;
        }
    }
    strbuf_puts(out, before);
}

static void every_diff_can_be_applied(void **state)
{
    struct random r = random_stream(7, 1, 2, 3);

    (void)state;
    for (int round = 0; round < 500; round++) {
        AUTO(strbuf) struct strbuf before = STRBUF_INIT, after = STRBUF_INIT;
        AUTO(strbuf) struct strbuf diff = STRBUF_INIT, patched = STRBUF_INIT;
        uint64_t n = random_u64(&r) % 30;

        for (uint64_t i = 0; i < n; i++) {
            uint64_t what = random_u64(&r) % 8, word = random_u64(&r) % 4;

            if (what != 0)
                strbuf_printf(&before, "%d\n", (int)word);
            if (what != 1)
                strbuf_printf(&after, "%d\n", what == 2 ? 9 : (int)word);
        }
        if (diff_unified(&diff, "a", strbuf_text(&before), "b", strbuf_text(&after), false))
            patch(&patched, strbuf_text(&before), strbuf_text(&diff));
        else
            strbuf_puts(&patched, strbuf_text(&before));
        assert_string_equal(strbuf_text(&patched), strbuf_text(&after));
    }
}

static void wholly_different_long_texts_end_soon(void **state)
{
    AUTO(strbuf) struct strbuf before = STRBUF_INIT, after = STRBUF_INIT;
    AUTO(strbuf) struct strbuf diff = STRBUF_INIT, patched = STRBUF_INIT;

    (void)state;
    for (int i = 0; i < 4000; i++) {
        strbuf_printf(&before, "a%d\n", i);
        strbuf_printf(&after, "b%d\n", i);
    }
    assert_true(diff_unified(&diff, "a", strbuf_text(&before), "b", strbuf_text(&after), false));
    patch(&patched, strbuf_text(&before), strbuf_text(&diff));
    assert_string_equal(strbuf_text(&patched), strbuf_text(&after));
}

/* --- merging ---------------------------------------------------------------------------------- */

static bool merge(const char *wanted_text, const char *live_text, const char *expect)
{
    json_t *wanted = json_loads(wanted_text, 0, NULL), *live = json_loads(live_text, 0, NULL);
    json_t *expected = json_loads(expect, 0, NULL);
    bool changed;

    assert_non_null(wanted);
    assert_non_null(live);
    assert_non_null(expected);
    changed = merge_into(wanted, live);
    assert_true(json_equal(wanted, expected));
    json_decref(wanted);
    json_decref(live);
    json_decref(expected);
    return changed;
}

#define LIVE                                                                            \
    "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"labels\":" \
    "{\"a\":\"b\"}},\"spec\":{\"min\":1},\"status\":{\"ready\":1}}"

static void the_declared_spec_replaces_the_live_one(void **state)
{
    (void)state;
    assert_false(merge("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"min\":1}}", LIVE,
                       "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\","
                       "\"labels\":{\"a\":\"b\"}},\"spec\":{\"min\":1}}"));
    assert_true(merge("{\"metadata\":{\"name\":\"x\"},\"spec\":{\"max\":2}}", LIVE,
                      "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\","
                      "\"labels\":{\"a\":\"b\"}},\"spec\":{\"max\":2}}"));
}

static void labels_are_added_to_those_of_others(void **state)
{
    (void)state;
    assert_true(
        merge("{\"metadata\":{\"name\":\"x\",\"labels\":{\"c\":\"d\"}},\"spec\":{\"min\":1}}", LIVE,
              "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\","
              "\"labels\":{\"a\":\"b\",\"c\":\"d\"}},\"spec\":{\"min\":1}}"));
    assert_false(
        merge("{\"metadata\":{\"name\":\"x\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"min\":1}}", LIVE,
              "{\"metadata\":{\"name\":\"x\",\"uid\":\"u\",\"resourceVersion\":\"7\","
              "\"labels\":{\"a\":\"b\"}},\"spec\":{\"min\":1}}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_no_diff),
        cmocka_unit_test(one_change_has_its_context),
        cmocka_unit_test(a_new_text_is_all_added),
        cmocka_unit_test(far_changes_are_hunks_of_their_own),
        cmocka_unit_test(every_diff_can_be_applied),
        cmocka_unit_test(wholly_different_long_texts_end_soon),
        cmocka_unit_test(the_declared_spec_replaces_the_live_one),
        cmocka_unit_test(labels_are_added_to_those_of_others),
    };

    return cmocka_run_group_tests_name("cli_diff", tests, NULL, NULL);
}
