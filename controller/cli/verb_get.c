/* get: objects as a table, JSON or YAML, once or as they change. */
#include <string.h>

#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/selection.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/clock.h"

struct getting {
    struct cli *cli;
    struct writer writer;
    const struct kind *kind;
    const char *selector;
    size_t shown;
};

static void show(struct getting *g, const json_t *object)
{
    if (!labels_match(g->selector, object))
        return;
    g->shown++;
    writer_item(&g->writer, g->kind, object);
}

/* One target: an object by its name, or all of a kind. The answer is kept for a watch. */
static int get_target(struct getting *g, const struct target *t, json_t **ret_answer, struct err *e)
{
    json_t *answer = NULL;
    const json_t *items;
    int r = listing_get(&g->cli->session, t->kind, t->name, &answer, e);

    if (r < 0)
        return r;
    g->kind = t->kind;
    items = look(answer, "items");
    if (t->name)
        show(g, answer);
    for (size_t i = 0; i < json_array_size(items); i++)
        show(g, json_array_get(items, i));
    *ret_answer = answer;
    return 0;
}

static void print(struct getting *g)
{
    cli_print(&g->writer.out);
    strbuf_clear(&g->writer.out);
}

static int get_once(struct getting *g, const struct selection *s)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < s->n_targets; i++) {
        struct err e = ERR_INIT;
        json_t *answer = NULL;

        if (get_target(g, &s->targets[i], &answer, &e) < 0)
            code = cli_fail(&e);
        json_decref(answer);
    }
    if (g->shown || !g->writer.ops->human)
        writer_end(&g->writer);
    else if (code == EXIT_DONE)
        (void)fprintf(stderr, "No %s found.\n", s->targets[0].kind->plural);
    print(g);
    return code;
}

static int on_change(void *data, const char *type, const json_t *object)
{
    struct getting *g = data;

    if (strcmp(type, "DELETED") == 0 && g->writer.ops->human)
        return 0; /* a table has no way to say so */
    g->writer.now_ms = clock_wall_ms();
    show(g, object);
    writer_flush(&g->writer);
    print(g);
    return fflush(stdout) != 0;
}

static int get_and_watch(struct getting *g, const struct selection *s)
{
    struct err e = ERR_INIT;
    json_t *answer = NULL;
    const char *version;
    int r;

    if (s->n_targets != 1)
        return cli_usage(g->cli, "--watch follows one kind, or one object");
    if (get_target(g, &s->targets[0], &answer, &e) < 0)
        return cli_fail(&e);
    writer_flush(&g->writer);
    print(g);
    (void)fflush(stdout);
    version = look_text(answer, "metadata.resourceVersion");
    r = listing_watch(&g->cli->session, s->targets[0].kind, s->targets[0].name, version, on_change,
                      g, &e);
    json_decref(answer);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}

static bool several_kinds(const struct selection *s)
{
    for (size_t i = 1; i < s->n_targets; i++)
        if (s->targets[i].kind != s->targets[0].kind)
            return true;
    return false;
}

int verb_get(struct cli *c)
{
    struct getting g = { .cli = c, .selector = options_get(&c->options, OPT_SELECTOR) };
    AUTO(selection) struct selection s = { 0 };
    struct err e = ERR_INIT;
    int code;

    if (selection_read(&s, c->options.operands, c->options.n_operands, &e) < 0 ||
        labels_check(g.selector, &e) < 0 ||
        writer_init(&g.writer, options_get(&c->options, OPT_OUTPUT), &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (cli_connect(c))
        return EXIT_FAILED;
    g.writer.colour = c->colour;
    g.writer.no_headers = options_on(&c->options, OPT_NO_HEADERS);
    g.writer.full_names = several_kinds(&s);
    g.writer.now_ms = c->now_ms;
    writer_begin(&g.writer, s.n_targets == 1 && s.targets[0].name);
    code = options_on(&c->options, OPT_WATCH) ? get_and_watch(&g, &s) : get_once(&g, &s);
    writer_done(&g.writer);
    return code;
}
