/* The table of verbs, and how one is found and explained: see verb.h. */
#include <errno.h>
#include <string.h>

#include "controller/cli/table.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "proto/base/array.h"
#include "proto/base/guess.h"

static const struct verb VERBS[] = {
    { "get", "Looking", "KIND[,KIND...] [NAME...] | KIND/NAME...", "list objects",
      "Shows objects of any kind: servedmodels, powerpools, powerpolicies (what people declare), "
      "nodes, nodepowers, replicas, plans, events, journal, clusters (what huddle knows). Kinds "
      "may "
      "be shortened: no, model, pool, policy, np, rep, ev.",
      "# all nodes, with what they draw\n"
      "huddlectl get nodes\n"
      "# one model as YAML, with its state\n"
      "huddlectl get model small -o yaml\n"
      "# follow the nodes of a rack\n"
      "huddlectl get nodes -l rack=a -w\n",
      TAKES(OUTPUT) | TAKES(WATCH) | TAKES(SELECTOR) | TAKES(NO_HEADERS), 1, -1, verb_get },
    { "apply", "Declaring", "-f FILE...", "create or change objects as files declare them",
      "Reads all files first, whatever they are; when one document is refused nothing is sent, and "
      "each refused document has its line: file:line:column: path: what is wrong, what was "
      "expected. "
      "Then every object is created, or its spec is replaced by the declared one. Objects that are "
      "so already are left alone.",
      "huddlectl apply -f models.yaml\n"
      "# check only: needs no server, prints each object with its defaults\n"
      "huddlectl apply --dry-run=client -f deploy/\n"
      "# let the server check, store nothing\n"
      "cat pool.yaml | huddlectl apply --dry-run=server -f -\n",
      TAKES(FILENAME) | TAKES(RECURSIVE) | TAKES(DRY_RUN) | TAKES(OUTPUT), 0, 0, verb_apply },
    { "version", "Other", "", "show the version of this program and of the server", "",
      "huddlectl version\n"
      "huddlectl version -o json\n",
      TAKES(OUTPUT), 0, 0, verb_version },
    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL },
};

const struct verb *verbs(void)
{
    return VERBS;
}

/* Does the verb's name stand at the beginning of the operands? */
static size_t words_taken(const struct verb *v, const struct options *o)
{
    const char *blank = strchr(v->name, ' ');
    size_t n = blank ? (size_t)(blank - v->name) : strlen(v->name);

    if (strlen(o->operands[0]) != n || strncmp(o->operands[0], v->name, n) != 0)
        return 0;
    if (!blank)
        return 1;
    return o->n_operands > 1 && strcmp(o->operands[1], blank + 1) == 0 ? 2 : 0;
}

const struct verb *verb_find(const struct options *o, size_t *ret_words, struct err *e)
{
    struct guess g = guess_begin(o->operands[0]);
    const char *near;
    size_t n;

    for (const struct verb *v = VERBS; v->name; v++) {
        *ret_words = words_taken(v, o);
        if (*ret_words)
            return v;
        guess_consider(&g, v->name, strlen(v->name));
    }
    near = guess_word(&g, &n);
    if (near)
        (void)err_set(e, -EINVAL, "\"%.60s\" is no verb; did you mean \"%.*s\"?", g.given, (int)n,
                      near);
    else
        (void)err_set(e, -EINVAL, "\"%.60s\" is no verb", g.given);
    return NULL;
}

/* --- help --------------------------------------------------------------------------------------
 */

#define HELP_WIDTH 92

static void heading(struct strbuf *out, const char *text, bool colour)
{
    strbuf_putc(out, '\n');
    paint_text(out, text, PAINT_HEAD, colour);
    strbuf_putc(out, '\n');
}

static void add_options(struct strbuf *out, uint64_t mask)
{
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct option *o = option_of((enum option_id)i);
        AUTO(strbuf) struct strbuf flag = STRBUF_INIT;

        if (!(mask >> i & 1))
            continue;
        if (o->letter)
            strbuf_printf(&flag, "-%c, ", o->letter);
        else
            strbuf_puts(&flag, "    ");
        strbuf_printf(&flag, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        strbuf_printf(out, "  %-24s ", strbuf_text(&flag));
        text_wrap(out, o->help, HELP_WIDTH - 27, 27);
        strbuf_putc(out, '\n');
    }
}

/* Examples name the program as it was called. */
static void add_examples(struct strbuf *out, const char *examples, const char *program)
{
    while (*examples) {
        size_t n = strcspn(examples, "\n"), own = strlen("huddlectl");
        const char *found = memmem(examples, n, "huddlectl", own);

        if (found)
            strbuf_printf(out, "  %.*s%s%.*s\n", (int)(found - examples), examples, program,
                          (int)(n - own - (size_t)(found - examples)), found + own);
        else
            strbuf_printf(out, "  %.*s\n", (int)n, examples);
        examples += n + (examples[n] == '\n');
    }
}

static void program_help(struct strbuf *out, const char *program, bool colour)
{
    const char *group = "";

    strbuf_printf(out,
                  "%s shows and steers huddle: models served on the fewest powered nodes.\n\n"
                  "Usage: %s VERB [OPTION...]\n",
                  program, program);
    for (const struct verb *v = VERBS; v->name; v++) {
        if (strcmp(group, v->group) != 0)
            heading(out, v->group, colour);
        group = v->group;
        strbuf_printf(out, "  %-14s %s\n", v->name, v->summary);
    }
    heading(out, "Options of every verb", colour);
    add_options(out, TAKES_ALWAYS);
    strbuf_printf(out, "\n'%s VERB --help' explains a verb, with examples.\n", program);
}

void verb_help(struct strbuf *out, const struct verb *v, const char *program, bool colour)
{
    if (!v) {
        program_help(out, program, colour);
        return;
    }
    strbuf_printf(out, "%s %s: %s\n\nUsage: %s %s%s%s%s\n", program, v->name, v->summary, program,
                  v->name, *v->operands ? " " : "", v->operands, v->takes ? " [OPTION...]" : "");
    if (*v->text) {
        strbuf_putc(out, '\n');
        text_wrap(out, v->text, HELP_WIDTH, 0);
        strbuf_putc(out, '\n');
    }
    heading(out, "Examples", colour);
    add_examples(out, v->examples, program);
    if (v->takes) {
        heading(out, "Options", colour);
        add_options(out, v->takes);
    }
    heading(out, "Options of every verb", colour);
    add_options(out, TAKES_ALWAYS);
}
