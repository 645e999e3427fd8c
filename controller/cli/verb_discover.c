/* discover: ServedModel objects proposed for what serves models on a Kubernetes cluster. */
#include <string.h>

#include "controller/cli/kube_look.h"
#include "controller/cli/output.h"
#include "controller/cli/table.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "controller/kubernetes/discover.h"
#include "proto/base/array.h"

static const char *word_at(const json_t *object, const char *group, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(object, group), key));

    return text ? text : "";
}

static void as_table(struct strbuf *out, const struct proposals *p, bool colour)
{
    static const char *const HEAD[] = { "NAMESPACE", "NAME", "MIN", "MAX", "WHY", "TO LOOK AT" };
    struct table t = { 0 };

    table_begin(&t, ARRAY_LEN(HEAD));
    for (size_t i = 0; i < ARRAY_LEN(HEAD); i++)
        table_cell(&t, HEAD[i], PAINT_HEAD);
    ARRAY_FOREACH(i, p, item) {
        const json_t *counts = json_object_get(json_object_get(i->object, "spec"), "replicas");

        table_cell(&t, word_at(i->object, "metadata", "namespace"), PAINT_NONE);
        table_cell(&t, word_at(i->object, "metadata", "name"), PAINT_NONE);
        table_cellf(&t, "%lld", (long long)json_integer_value(json_object_get(counts, "min")));
        table_cellf(&t, "%lld", (long long)json_integer_value(json_object_get(counts, "max")));
        table_cell(&t, i->why, PAINT_NONE);
        table_cellf(&t, "%zu notes (-o yaml)", i->notes.n);
    }
    table_print(&t, out, colour);
    table_done(&t);
}

/* A comment for each note: no line break of a name may end it. */
static void add_comment(struct strbuf *out, const char *text)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

    text_safe(&safe, text);
    strbuf_printf(out, "# %s\n", strbuf_text(&safe));
}

static void as_yaml(struct strbuf *out, const struct proposals *p)
{
    ARRAY_FOREACH(i, p, item) {
        strbuf_puts(out, "---\n");
        add_comment(out, i->why);
        for (size_t n = 0; n < i->notes.n; n++)
            add_comment(out, i->notes.item[n]);
        write_yaml(out, i->object);
    }
}

static void as_json(struct strbuf *out, const struct proposals *p)
{
    json_t *list = json_array(), *whole;

    ARRAY_FOREACH(i, p, item)
        json_array_append(list, i->object);
    whole = json_pack("{s:s, s:s, s:o}", "apiVersion", "v1", "kind", "List", "items", list);
    write_json(out, whole);
    json_decref(whole);
}

static int print(struct cli *c, const struct output *to, const struct kube_look *k,
                 const struct survey *s)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct proposals p;

    discover(s, k->namespace, &p);
    if (to->format == OUTPUT_TABLE)
        as_table(&out, &p, c->colour);
    else if (to->format == OUTPUT_YAML)
        as_yaml(&out, &p);
    else
        as_json(&out, &p);
    if (p.n_item)
        cli_print(&out);
    else
        (void)fputs("nothing found that looks like a model server\n", stderr);
    proposals_done(&p);
    return EXIT_DONE;
}

int verb_discover(struct cli *c)
{
    struct kube_look k = { 0 };
    struct survey s = { 0 };
    struct err e = ERR_INIT;
    struct output to;
    int code;

    if (output_choose(&c->options, OPT_OUTPUT_ONE, &to, &e) < 0)
        code = cli_usage(c, "%s", e.text);
    else if ((code = kube_look_open(c, &k)) == 0)
        code = kube_look_survey(&k, &s, &e) < 0 ? cli_fail(&e) : EXIT_DONE;
    for (int part = SURVEY_DEPLOYMENTS; code == EXIT_DONE && part <= SURVEY_STATEFUL_SETS; part++)
        if (s.why[part]) {
            (void)err_set(&e, -1, "workloads cannot be listed: %s", s.why[part]);
            code = cli_fail(&e);
        }
    if (code == EXIT_DONE)
        code = print(c, &to, &k, &s);
    survey_done(&s);
    kube_look_done(&k);
    return code;
}
