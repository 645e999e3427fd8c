/* doctor: what on a cluster would be hurt by sleeping nodes, and what stops huddle there; auth
 * check: which of the rights that huddle needs the user of the kubeconfig has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/kube_look.h"
#include "controller/cli/output.h"
#include "controller/cli/table.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "controller/kubernetes/doctor.h"
#include "controller/kubernetes/rights.h"
#include "proto/base/array.h"

enum { EXIT_FOUND = 3 };

#define WIDTH 100

static void add_field(struct strbuf *out, const char *name, const char *value)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;

    if (!*value)
        return;
    strbuf_printf(&line, "%s: %s", name, value);
    text_wrap(out, strbuf_text(&line), WIDTH, 4);
    strbuf_putc(out, '\n');
}

static enum paint paint_of(enum severity s)
{
    return s == FINDING_HURTS ? PAINT_BAD : s == FINDING_STOPS ? PAINT_BUSY : PAINT_CALM;
}

static void add_summary(struct strbuf *out, const struct sleepers_now *now)
{
    strbuf_printf(out, "%zu of %zu nodes could sleep now", now->count[NODE_SLEEPS], now->n_nodes);
    for (size_t v = 0; v < VERDICT_COUNT; v++)
        if (v != NODE_SLEEPS && now->count[v])
            strbuf_printf(out, ", %zu %s", now->count[v], verdict_words((enum verdict)v));
    strbuf_puts(out, "\n");
    text_wrap(out, "An estimate by " SLEEPERS_ASSUME ".", WIDTH, 0);
    strbuf_puts(out, "\n");
}

static void as_text(struct strbuf *out, const struct findings *f, const struct sleepers_now *now,
                    bool colour)
{
    ARRAY_FOREACH(i, f, item) {
        AUTO(strbuf) struct strbuf safe = STRBUF_INIT, head = STRBUF_INIT;

        paint_text(out, severity_name(i->severity), paint_of(i->severity), colour);
        strbuf_printf(&head, "  %s  %s%s%s%s%s", i->code, i->kind, *i->name ? " " : "",
                      i->namespace, *i->namespace ? "/" : "", i->name);
        text_safe(&safe, strbuf_text(&head));
        strbuf_printf(out, "%s\n", strbuf_text(&safe));
        add_field(out, "what", i->what);
        add_field(out, "why", i->derived);
        add_field(out, "way out", i->way_out);
    }
    strbuf_printf(out, "%s%zu would be hurt, %zu stop huddle, %zu notes\n", f->n_item ? "\n" : "",
                  findings_count(f, FINDING_HURTS), findings_count(f, FINDING_STOPS),
                  findings_count(f, FINDING_NOTE));
    add_summary(out, now);
}

static json_t *as_json(const struct findings *f, const struct sleepers_now *now,
                       const struct survey *s)
{
    json_t *counts = json_object(), *sleep = json_array();

    for (size_t v = 0; v < VERDICT_COUNT; v++)
        json_object_set_new(counts, verdict_name((enum verdict)v),
                            json_integer((json_int_t)now->count[v]));
    for (size_t i = 0; i < now->n_nodes; i++)
        if (now->verdict[i] == NODE_SLEEPS)
            json_array_append_new(sleep, json_string(s->node[i].meta.name));
    return json_pack("{s:s, s:o, s:{s:I, s:o, s:o, s:s}}", "kind", "DoctorReport", "findings",
                     findings_to_json(f), "estimate", "nodes", (json_int_t)now->n_nodes, "counts",
                     counts, "couldSleep", sleep, "assumes", SLEEPERS_ASSUME);
}

static void print_as(const struct output *to, json_t *json, struct strbuf *out)
{
    if (to->format == OUTPUT_JSON)
        write_json(out, json);
    else
        write_yaml(out, json);
}

/* --- rights ------------------------------------------------------------------------------------
 */

struct rights_asked {
    bool allowed[RIGHTS_MAX];
    char missing[RIGHTS_MAX][64]; /* verbs */
};

static int ask_rights(struct kube_look *k, const char *account, struct rights_asked *ret,
                      struct err *e)
{
    char verb[16];

    *ret = (struct rights_asked){ 0 };
    for (size_t i = 0; rights()[i].resource; i++) {
        json_t *question;

        ret->allowed[i] = true;
        for (int n = 0; (question = right_question(&rights()[i], n, account, verb)); n++) {
            json_t *answer = NULL;
            int r = kube_look_review(k, question, &answer, e);

            json_decref(question);
            if (r < 0)
                return r;
            if (!right_answer(answer)) {
                size_t used = strlen(ret->missing[i]);

                ret->allowed[i] = false;
                (void)snprintf(ret->missing[i] + used, sizeof(ret->missing[i]) - used, "%s%s",
                               used ? " " : "", verb);
            }
            json_decref(answer);
        }
    }
    return 0;
}

static void name_right(const struct right *r, struct strbuf *out)
{
    strbuf_printf(out, "%s%s%s%s%s", r->resource, *r->sub ? "/" : "", r->sub, *r->group ? "." : "",
                  r->group);
}

static void rights_findings(const struct rights_asked *a, struct findings *f)
{
    for (size_t i = 0; rights()[i].resource; i++) {
        const struct right *r = &rights()[i];
        AUTO(strbuf) struct strbuf name = STRBUF_INIT;

        if (a->allowed[i])
            continue;
        name_right(r, &name);
        findings_add(f, r->optional ? FINDING_NOTE : FINDING_STOPS, "Rights", "Rule", r->namespace,
                     strbuf_text(&name), finding_text("off without it: %s", r->off),
                     finding_text("this user may not %s", a->missing[i]),
                     "grant the rule, or run as huddle's own account (--context)");
    }
    findings_sort(f);
}

static json_t *rights_json(const struct rights_asked *a)
{
    json_t *list = json_array();

    for (size_t i = 0; rights()[i].resource; i++) {
        const struct right *r = &rights()[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:s}", "group",
                                        r->group, "resource", r->resource, "subresource", r->sub,
                                        "verbs", r->verbs, "namespace", r->namespace, "optional",
                                        r->optional, "allowed", a->allowed[i], "missing",
                                        a->missing[i], "off", a->allowed[i] ? "" : r->off));
    }
    return json_pack("{s:s, s:o}", "kind", "RightsReport", "rules", list);
}

static void rights_table(struct strbuf *out, const struct rights_asked *a, bool colour)
{
    static const char *const HEAD[] = { "RULE", "NAMESPACE", "VERBS", "ALLOWED", "OFF WITHOUT IT" };
    struct table t = { 0 };

    table_begin(&t, ARRAY_LEN(HEAD));
    for (size_t i = 0; i < ARRAY_LEN(HEAD); i++)
        table_cell(&t, HEAD[i], PAINT_HEAD);
    for (size_t i = 0; rights()[i].resource; i++) {
        const struct right *r = &rights()[i];
        AUTO(strbuf) struct strbuf name = STRBUF_INIT;

        name_right(r, &name);
        table_cell(&t, strbuf_text(&name), PAINT_NONE);
        table_cell(&t, *r->namespace ? r->namespace : "*", PAINT_NONE);
        table_cell(&t, r->verbs, PAINT_NONE);
        if (a->allowed[i])
            table_cell(&t, "yes", PAINT_GOOD);
        else
            table_cellf(&t, "no: %s", a->missing[i]);
        table_cell(&t, a->allowed[i] ? "" : r->off, PAINT_NONE);
    }
    table_print(&t, out, colour);
    table_done(&t);
}

int verb_auth_check(struct cli *c)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct rights_asked *asked = xcalloc(1, sizeof(*asked));
    struct kube_look k = { 0 };
    struct err e = ERR_INIT;
    struct output to;
    int code = EXIT_DONE;

    if (output_choose(&c->options, OPT_OUTPUT_ONE, &to, &e) < 0)
        code = cli_usage(c, "%s", e.text);
    else if ((code = kube_look_open(c, &k)) == 0 &&
             ask_rights(&k, options_get(&c->options, OPT_CHECKED_ACCOUNT), asked, &e) < 0)
        code = cli_fail(&e);
    kube_look_done(&k);
    if (code == EXIT_DONE) {
        if (to.format == OUTPUT_TABLE) {
            rights_table(&out, asked, c->colour);
        } else {
            json_t *json = rights_json(asked);

            print_as(&to, json, &out);
            json_decref(json);
        }
        cli_print(&out);
        for (size_t i = 0; rights()[i].resource; i++)
            if (!asked->allowed[i] && !rights()[i].optional)
                code = EXIT_FOUND;
    }
    free(asked);
    return code;
}

/* --- doctor ------------------------------------------------------------------------------------
 */

static int look(struct cli *c, struct kube_look *k, struct survey *s, struct rights_asked *asked)
{
    struct err e = ERR_INIT;
    int code = kube_look_open(c, k);

    if (code)
        return code;
    if (kube_look_survey(k, s, &e) < 0 || (!k->namespace && ask_rights(k, NULL, asked, &e) < 0))
        return cli_fail(&e);
    return EXIT_DONE;
}

static int report(struct cli *c, const struct output *to, const struct kube_look *k,
                  const struct survey *s, const struct rights_asked *asked)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct sleepers_now now = { 0 };
    struct findings f = { 0 };
    size_t bad;

    sleepers_find(s, &now);
    doctor_examine(s, &now, k->namespace, &f);
    if (!k->namespace)
        rights_findings(asked, &f);
    if (to->format == OUTPUT_TABLE) {
        as_text(&out, &f, &now, c->colour);
    } else {
        json_t *json = as_json(&f, &now, s);

        print_as(to, json, &out);
        json_decref(json);
    }
    cli_print(&out);
    bad = findings_count(&f, FINDING_HURTS) + findings_count(&f, FINDING_STOPS);
    findings_done(&f);
    sleepers_now_done(&now);
    return bad ? EXIT_FOUND : EXIT_DONE;
}

int verb_doctor(struct cli *c)
{
    struct rights_asked *asked = xcalloc(1, sizeof(*asked));
    struct kube_look k = { 0 };
    struct survey s = { 0 };
    struct err e = ERR_INIT;
    struct output to;
    int code;

    if (output_choose(&c->options, OPT_OUTPUT_ONE, &to, &e) < 0)
        code = cli_usage(c, "%s", e.text);
    else
        code = look(c, &k, &s, asked);
    if (code == EXIT_DONE)
        code = report(c, &to, &k, &s, asked);
    survey_done(&s);
    kube_look_done(&k);
    free(asked);
    return code;
}
