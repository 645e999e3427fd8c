/* plan and explain: what huddle means to do, and why things are as they are. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/columns.h"
#include "controller/cli/explanation.h"
#include "controller/cli/human.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/manifest_schema.h"

/* json, yaml, or NULL for text. */
static int text_format(struct cli *c, const char **ret_format)
{
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);

    if (format && strcmp(format, "table") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "yaml") != 0)
        return cli_usage(c, "%s has no format \"%.40s\"; there are table, json, yaml",
                         c->verb->name, format);
    *ret_format = format && (*format == 'j' || *format == 'y') ? format : NULL;
    return 0;
}

static void write_as(struct strbuf *out, const char *format, const json_t *value)
{
    (*format == 'j' ? write_json : write_yaml)(out, value);
}

/* --- plan --------------------------------------------------------------------------------------
 */

#define END                     \
    {                           \
        NULL, NULL, NULL, false \
    }

static const struct column PLAN_MODEL[] = {
    { "MODEL", "name", show_text, false },
    { "TARGET", "target", show_count, false },
    { "FLOOR", "floor", show_count, false },
    { "PLACED", "placed", show_count, false },
    { "DEMAND", "demandNow", show_number, false },
    { "NEED", "demandNeed", show_number, false },
    { "FORECAST", "predictive", show_flag, false },
    { "WHY", "why", show_text, false },
    END,
};

static const struct column PLAN_NODE[] = {
    { "NODE", "name", show_text, false },
    { "VERDICT", "verdict", show_state, false },
    { "WATTS", "wattsAfter", show_watts, false },
    { "AT STAKE", "joulesAtStake", show_joules, false },
    { "OFF", "offS", show_seconds, false },
    { "WHY", "why", show_text, false },
    END,
};

static const struct column PLAN_START[] = {
    { "MODEL", "model", show_text, false },
    { "NODE", "node", show_text, false },
    { "REPLACES", "replaces", show_text, false },
    { "REPLICA", "uid", show_text, false },
    { "STATE", "state", show_state, false },
    { "WHY", "why", show_text, false },
    END,
};

static bool is_new(const json_t *placement)
{
    return !look(placement, "replica");
}

static void print_rows(struct strbuf *out, const char *title, const struct column *columns,
                       const json_t *items, bool (*wanted)(const json_t *), const struct cli *c)
{
    struct table t = { 0 };
    size_t n = 0, rows = 0;

    while (columns[n].title)
        n++;
    table_begin(&t, n);
    for (size_t i = 0; i < n; i++)
        table_cell(&t, columns[i].title, PAINT_HEAD);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);

        if (wanted && !wanted(item))
            continue;
        rows++;
        for (size_t k = 0; k < n; k++)
            columns[k].show(&t, look(item, columns[k].path), c->now_ms);
    }
    strbuf_printf(out, "\n%s%s\n", title, rows ? "" : ": none");
    if (rows)
        table_print(&t, out, c->colour);
    table_done(&t);
}

static void print_plan(struct strbuf *out, const json_t *plan, const struct cli *c)
{
    char a[HUMAN_MAX], b[HUMAN_MAX], d[HUMAN_MAX];
    const char *summary = look_text(plan, "status.summary"), *why = look_text(plan, "status.why");
    double age = look_number(plan, "status.ageMs");

    strbuf_puts(out, "Plan ");
    text_safe(out, look_text(plan, "metadata.uid") ? look_text(plan, "metadata.uid") : "?");
    strbuf_printf(out, ", made %s ago, %s", isfinite(age) ? human_ms(age, a) : "?",
                  look_true(plan, "status.inForce") ? "in force" : "not in force");
    if (why)
        strbuf_puts(out, ": ");
    text_safe(out, why ? why : "");
    strbuf_puts(out, "\n\n  ");
    text_safe(out, summary ? summary : "");
    strbuf_printf(out, "\n\nAwake nodes: %s now, %s wanted; no plan can do with less than %s\n",
                  human_number(look_number(plan, "status.awakeNow"), a),
                  human_number(look_number(plan, "status.awakeTarget"), b),
                  human_number(look_number(plan, "status.boundNodes"), d));
    strbuf_printf(out, "Power:       %s now, %s after; lower bound %s\n",
                  human_watts(look_number(plan, "status.wattsNow"), a),
                  human_watts(look_number(plan, "status.wattsAfter"), b),
                  human_watts(look_number(plan, "status.boundW"), d));
    strbuf_printf(out, "Acts:        %s moves, %s starts, ",
                  human_number(look_number(plan, "status.moves"), a),
                  human_number(look_number(plan, "status.starts"), b));
    strbuf_printf(out, "%s stops, %s sleeps, %s wakes\n",
                  human_number(look_number(plan, "status.stops"), a),
                  human_number(look_number(plan, "status.sleeps"), b),
                  human_number(look_number(plan, "status.wakes"), d));
    print_rows(out, "Models", PLAN_MODEL, look(plan, "spec.models"), NULL, c);
    print_rows(out, "Nodes", PLAN_NODE, look(plan, "spec.nodes"), NULL, c);
    print_rows(out, "Replicas to start", PLAN_START, look(plan, "spec.placements"), is_new, c);
}

int verb_plan(struct cli *c)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    json_t *plan = NULL;
    const char *format = NULL;
    int r;

    if (text_format(c, &format))
        return EXIT_USAGE;
    if (cli_connect(c))
        return EXIT_FAILED;
    r = listing_get(&c->session, kind_find("plan", &e), "current", &plan, &e);
    if (r == -ENOENT)
        (void)err_set(&e, r,
                      "there is no plan yet: one is made within seconds where a PowerPool or a "
                      "ServedModel is declared (huddlectl apply)");
    if (r < 0)
        return cli_fail(&e);
    if (format)
        write_as(&out, format, plan);
    else
        print_plan(&out, plan, c);
    json_decref(plan);
    cli_print(&out);
    return EXIT_DONE;
}

/* --- explain -----------------------------------------------------------------------------------
 */

/* `explain servedmodel.spec.slo`: the fields that people declare. */
static int explain_field(struct cli *c, const char *what)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    const struct kind *kind;

    if (!strchr(what, '.')) {
        if (!(kind = kind_find(what, &e)))
            return cli_usage(c, "%s", e.text);
        if (!kind->declared)
            return cli_usage(c, "nobody declares %s: say which one, as huddlectl get %s shows them",
                             kind->plural, kind->plural);
    }
    if (manifest_explain(what, &text, &e) < 0)
        return cli_fail(&e);
    (void)fputs(text, stdout);
    return EXIT_DONE;
}

/* The replicas whose `path` is `name`; NULL when they cannot be got (then nothing is said of them).
 */
static json_t *replicas_of(struct cli *c, const char *path, const char *name)
{
    json_t *list = NULL, *own = json_array();
    struct err e = ERR_INIT;
    const json_t *items;

    if (listing_get(&c->session, kind_find("replicas", &e), NULL, &list, &e) < 0) {
        json_decref(own);
        return NULL;
    }
    items = look(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *text = look_text(json_array_get(items, i), path);

        if (text && strcmp(text, name) == 0)
            json_array_append(own, json_array_get(items, i));
    }
    json_decref(list);
    return own;
}

static json_t *explain_object(struct cli *c, const struct target *t, const json_t *object)
{
    json_t *replicas = NULL, *told, *plan = NULL;
    struct err e = ERR_INIT;

    if (strcmp(t->kind->name, "Replica") == 0) {
        (void)listing_get(&c->session, kind_find("plan", &e), "current", &plan, &e);
        told = explanation_of_replica(object, plan, c->now_ms); /* there may be none yet */
        json_decref(plan);
        return told;
    }
    if (strcmp(t->kind->name, "Node") == 0) {
        replicas = replicas_of(c, "spec.node", t->name);
        told = explanation_of_node(object, replicas, c->now_ms);
    } else {
        replicas = replicas_of(c, "spec.model", t->name);
        told = explanation_of_model(object, replicas, c->now_ms);
    }
    json_decref(replicas);
    return told;
}

static void print_explanation(struct strbuf *out, const char *format, const json_t *told)
{
    const json_t *sentences = look(told, "sentences");

    if (format) {
        write_as(out, format, told);
        return;
    }
    if (out->length)
        strbuf_putc(out, '\n');
    for (size_t i = 0; i < json_array_size(sentences); i++) {
        AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

        text_safe(&safe, json_string_value(json_array_get(sentences, i)));
        text_wrap(out, strbuf_text(&safe), 96, 2);
        strbuf_putc(out, '\n');
    }
}

static int explain_target(struct cli *c, const struct target *t, const char *format,
                          struct strbuf *out)
{
    struct err e = ERR_INIT;
    json_t *object = NULL, *told;

    if (listing_get(&c->session, t->kind, t->name, &object, &e) < 0)
        return cli_fail(&e);
    told = explain_object(c, t, object);
    print_explanation(out, format, told);
    json_decref(told);
    json_decref(object);
    return EXIT_DONE;
}

static bool can_be_explained(const struct target *t)
{
    return t->name &&
           (strcmp(t->kind->name, "Node") == 0 || strcmp(t->kind->name, "Replica") == 0 ||
            strcmp(t->kind->name, "ServedModel") == 0);
}

int verb_explain(struct cli *c)
{
    AUTO(selection) struct selection s = { 0 };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    const char *format = NULL;
    int code = EXIT_DONE;

    if (text_format(c, &format))
        return EXIT_USAGE;
    if (c->options.n_operands == 1 && !strchr(c->options.operands[0], '/'))
        return explain_field(c, c->options.operands[0]);
    if (selection_read(&s, c->options.operands, c->options.n_operands, &e) < 0)
        return cli_usage(c, "%s", e.text);
    for (size_t i = 0; i < s.n_targets; i++)
        if (!can_be_explained(&s.targets[i]))
            return cli_usage(c, "nodes, replicas and models can be explained, not %s",
                             s.targets[i].kind->plural);
    if (cli_connect(c))
        return EXIT_FAILED;
    for (size_t i = 0; i < s.n_targets; i++)
        code |= explain_target(c, &s.targets[i], format, &out);
    cli_print(&out);
    return code;
}
