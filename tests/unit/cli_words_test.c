/* What a command line says: options, objects, labels, times, misspelt words, completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "controller/cli/completion.h"
#include "controller/cli/moment.h"
#include "controller/cli/selection.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"

#define SEVERAL (TAKES_ALWAYS | TAKES(OUTPUT) | TAKES(WATCH) | TAKES(SELECTOR) | TAKES(FILENAME))
#define READ(o, e, ...)                                                                     \
    options_read_words(&(o), (const char *const[]){ __VA_ARGS__ },                          \
                       sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *), \
                       SEVERAL, &(e))

static void options_stand_anywhere_and_in_every_form(void **state)
{
    struct options o = { 0 };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(READ(o, e, "get", "-wo", "json", "nodes", "--selector=a=b", "-fx", "-f=y",
                          "--filename", "z", "--", "-n"),
                     0);
    assert_string_equal(options_get(&o, OPT_OUTPUT), "json");
    assert_string_equal(options_get(&o, OPT_SELECTOR), "a=b");
    assert_true(options_on(&o, OPT_WATCH));
    assert_int_equal(o.given[OPT_FILENAME].n_values, 3);
    assert_string_equal(o.given[OPT_FILENAME].values[1], "y");
    assert_int_equal(o.n_operands, 3);
    assert_string_equal(o.operands[2], "-n");
    options_done(&o);
    assert_int_equal(READ(o, e, "--watch", "--watch=false", "-"), 0);
    assert_false(options_on(&o, OPT_WATCH));
    assert_string_equal(o.operands[0], "-"); /* standard input is no option */
    options_done(&o);
}

static void bad_options_are_told(void **state)
{
    struct options o = { 0 };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(READ(o, e, "--wacth"), -EINVAL);
    assert_string_equal(e.text, "unknown option --wacth; did you mean --watch?");
    assert_int_equal(READ(o, e, "--dry-run=client"), -EINVAL);
    assert_string_equal(e.text, "option --dry-run has no meaning here");
    assert_int_equal(READ(o, e, "-z"), -EINVAL);
    assert_string_equal(e.text, "unknown option -z");
    assert_int_equal(READ(o, e, "-o"), -EINVAL);
    assert_string_equal(e.text, "-o needs a FORMAT");
    assert_int_equal(READ(o, e, "--watch=maybe"), -EINVAL);
    assert_string_equal(e.text, "--watch takes true or false, not \"maybe\"");
    options_done(&o);
}

static void objects_are_named_as_kubectl_does(void **state)
{
    AUTO(selection) struct selection s = { 0 };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(selection_read(&s, (const char *const[]){ "no,Models" }, 1, &e), 0);
    assert_int_equal(s.n_targets, 2);
    assert_string_equal(s.targets[0].kind->plural, "nodes");
    assert_string_equal(s.targets[1].kind->plural, "servedmodels");
    assert_null(s.targets[1].name);
    selection_done(&s);
    assert_int_equal(selection_read(&s, (const char *const[]){ "node", "a", "b" }, 3, &e), 0);
    assert_int_equal(s.n_targets, 2);
    assert_string_equal(s.targets[1].name, "b");
    selection_done(&s);
    assert_int_equal(selection_read(&s, (const char *const[]){ "node/a", "pool/p" }, 2, &e), 0);
    assert_string_equal(s.targets[1].kind->plural, "powerpools");
    assert_string_equal(s.targets[1].name, "p");
    selection_done(&s); /* a pod of Kubernetes, as it is shown and as the API calls it */
    assert_int_equal(selection_read(&s, (const char *const[]){ "replica", "a/b-1", "u" }, 3, &e),
                     0);
    assert_string_equal(s.targets[0].name, "a.b-1");
    assert_string_equal(s.targets[1].name, "u");
    selection_done(&s);
    assert_int_equal(selection_read(&s, (const char *const[]){ "replica/a/b.1" }, 1, &e), 0);
    assert_string_equal(s.targets[0].name, "a.b.1");
}

static void bad_objects_are_told(void **state)
{
    static const struct {
        const char *words[3];
        const char *expect;
    } BAD[] = {
        { { "nods" }, "\"nods\" is no kind of object; did you mean \"nodes\"?" },
        { { "servdmodels" },
          "\"servdmodels\" is no kind of object; did you mean \"servedmodels\"?" },
        { { "node/" }, "\"node/\": expected KIND/NAME" },
        { { "node/a", "b" }, "\"b\": expected KIND/NAME as the other words are" },
        { { "nodes,pools", "a" }, "names need one kind, not \"nodes,pools\"" },
        { { "node", "pool/p" }, "\"pool/p\" is no name; write either node NAME or node/NAME" },
        { { "," }, "expected a kind of object" },
        { { "node/a/b" }, "\"node/a/b\": expected KIND/NAME" },
        { { "replica/a/b/c" }, "\"replica/a/b/c\": expected KIND/NAME" },
        { { "replica", "a/" }, "\"a/\" is no name; write either replica NAME or replica/NAME" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        AUTO(selection) struct selection s = { 0 };
        struct err e = ERR_INIT;

        assert_int_equal(selection_read(&s, BAD[i].words, BAD[i].words[1] ? 2 : 1, &e), -EINVAL);
        assert_string_equal(e.text, BAD[i].expect);
    }
}

static void labels_select(void **state)
{
    json_t *o = json_loads("{\"metadata\":{\"labels\":{\"a\":\"b\",\"e\":\"\"}}}", 0, NULL);

    (void)state;
    assert_true(labels_match(NULL, o));
    assert_true(labels_match("", o));
    assert_true(labels_match("a=b", o));
    assert_true(labels_match("a==b,e", o));
    assert_true(labels_match("a!=c,!z,z!=q", o));
    assert_true(labels_match("e=", o));
    assert_false(labels_match("a=c", o));
    assert_false(labels_match("a=bb", o));
    assert_false(labels_match("a=b,z", o));
    assert_false(labels_match("!a", o));
    assert_false(labels_match("a!=b", o));
    assert_int_equal(labels_check("a=b,!c", NULL), 0);
    assert_int_equal(labels_check("=b", NULL), -EINVAL);
    assert_int_equal(labels_check("a=b,,c", NULL), -EINVAL);
    assert_int_equal(labels_check("!a=b", NULL), -EINVAL);
    assert_int_equal(labels_check("a=b=c", NULL), -EINVAL);
    assert_int_equal(labels_check("a!b", NULL), -EINVAL);
    json_decref(o);
}

static void times_are_read(void **state)
{
    static const int64_t NOW = 1800000000000;
    static const struct {
        const char *text;
        int64_t ms;
    } GOOD[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "2026-11-23T20:20:51Z", 1795465251000 },
        { "2026-11-23T20:20:51.250Z", 1795465251250 },
        { "2026-11-23t21:20:51+01:00", 1795465251000 },
        { "2024-02-29", 1709164800000 },
        { "2026-11-23 07:00", 1795417200000 },
        { "2026-11-23 07:00+02:00", 1795410000000 },
        { "2026-11-23 07:00:00", 1795417200000 },
        { "now", NOW },
        { "24h", NOW - 86400000 },
        { "-90s", NOW - 90000 },
        { "2000-03-01T00:00:00Z", 951868800000 },
    };
    static const char *const BAD[] = {
        "",
        "yesterday",
        "2026-13-01",
        "2026-02-29",
        "2100-02-29",
        "2026-11-2",
        "2026-11-23T",
        "2026-11-23 25:00",
        "2026-11-23T07:00:00+1",
        "24",
        "2026-11-23T07:00:0xZ",
        "2026-11-23T07:60:00Z",
        "1969-12-31",
        "2026-11-23Z",
        "2026-11-23T07:00:00.Z",
    };
    int64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        assert_int_equal(moment_parse(GOOD[i].text, NOW, &ms, NULL), 0);
        assert_true(ms == GOOD[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(moment_parse(BAD[i], NOW, &ms, &e), -EINVAL);
        assert_non_null(strstr(e.text, "expected one like 2026-11-23T07:00:00Z"));
    }
}

static void verbs_are_found(void **state)
{
    struct options o = { 0 };
    struct err e = ERR_INIT;
    size_t words = 0;

    (void)state;
    (void)READ(o, e, "token", "create", "bob");
    assert_string_equal(verb_find(&o, &words, &e)->name, "token create");
    assert_int_equal(words, 2);
    options_done(&o);
    (void)READ(o, e, "descibe");
    assert_null(verb_find(&o, &words, &e));
    assert_string_equal(e.text, "\"descibe\" is no verb; did you mean \"describe\"?");
    options_done(&o);
}

/* Each verb can be explained, and its examples call it. */
static void every_verb_has_its_help(void **state)
{
    (void)state;
    for (const struct verb *v = verbs(); v->name; v++) {
        AUTO(strbuf) struct strbuf help = STRBUF_INIT, call = STRBUF_INIT;

        verb_help(&help, v, "kubectl huddle", false);
        strbuf_printf(&call, "kubectl huddle %s", v->name);
        assert_non_null(strstr(strbuf_text(&help), strbuf_text(&call)));
        assert_non_null(strstr(strbuf_text(&help), "Examples"));
        assert_null(strstr(strbuf_text(&help), "huddlectl "));
        assert_true(v->most < 0 || v->least <= v->most);
    }
}

static void two_nodes(void *data, const char *plural, const char *prefix, struct strbuf *out)
{
    assert_string_equal(plural, data);
    completion_offer(out, "", "n1", prefix);
    completion_offer(out, "", "n2", prefix);
    completion_offer(out, "", "rack", prefix);
}

static void assert_offered(const char *line, const char *plural, const char *expect)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    AUTO(mem) char *text = xstrdup(line);
    const char *words[8];
    char *rest = NULL;
    size_t n = 0;

    for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        words[n++] = strcmp(w, "''") == 0 ? "" : w;
    completion_candidates(&out, words, n, two_nodes, (void *)(uintptr_t)plural);
    assert_string_equal(strbuf_text(&out), expect);
}

static void shells_are_offered_what_fits(void **state)
{
    (void)state;
    assert_offered("des", "", "describe\n");
    assert_offered("get no", "", "nodes\nnodepowers\n");
    assert_offered("get node n", "nodes", "n1\nn2\n");
    assert_offered("drain ''", "nodes", "n1\nn2\nrack\n");
    assert_offered("drain -l a=b --wait r", "nodes", "rack\n");
    assert_offered("get nodes -o ya", "", "yaml\n");
    assert_offered("get nodes --output = j", "", "json\n");
    assert_offered("get nodes --sel", "", "--selector\n");
    assert_offered("pause --sel", "", "");
    assert_offered("token cr", "", "create\n");
    assert_offered("top m", "", "models\n");
    assert_offered("top models m", "", "");
    assert_offered("apply -f x", "", ""); /* files: the shell knows them */
    assert_offered("__", "", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere_and_in_every_form),
        cmocka_unit_test(bad_options_are_told),
        cmocka_unit_test(objects_are_named_as_kubectl_does),
        cmocka_unit_test(bad_objects_are_told),
        cmocka_unit_test(labels_select),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(verbs_are_found),
        cmocka_unit_test(every_verb_has_its_help),
        cmocka_unit_test(shells_are_offered_what_fits),
    };

    return cmocka_run_group_tests_name("cli_words", tests, NULL, NULL);
}
