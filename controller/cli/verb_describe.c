/* describe: one object in full, with what belongs to it and what happened to it. */
#include <string.h>

#include "controller/cli/description.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/verb.h"

/* The items of `list` whose `path` is `name`; those of which `keep` says so when there is no path.
 * New reference. */
static json_t *chosen(const json_t *list, const char *path, const struct kind *r, const char *name)
{
    const json_t *items = look(list, "items");
    json_t *kept = json_array();

    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        const char *text = path ? look_text(item, path) : NULL;

        if (path ? text && strcmp(text, name) == 0 : description_event_of(item, r, name))
            json_array_append(kept, item);
    }
    return kept;
}

struct lists { /* got once for all objects */
    json_t *related, *events;
    const struct kind *related_to;
};

static int get_lists(struct cli *c, const struct kind *r, struct lists *l, struct err *e)
{
    const struct related *related = description_related(r);
    int result = 0;

    if (!l->events)
        result = listing_get(&c->session, kind_find("events", e), NULL, &l->events, e);
    if (result < 0 || !related || l->related_to == r)
        return result;
    json_decref(l->related);
    l->related = NULL;
    l->related_to = r;
    return listing_get(&c->session, kind_find(related->plural, e), NULL, &l->related, e);
}

static void describe(struct cli *c, const struct kind *r, const struct lists *l,
                     const json_t *object, struct strbuf *out)
{
    const struct related *related = description_related(r);
    const char *name = look_name(object);
    json_t *own = related ? chosen(l->related, related->path, NULL, name) : NULL;
    json_t *events = chosen(l->events, NULL, r, name);

    if (out->length)
        strbuf_puts(out, "\n\n");
    description_print(out, r, object, own, events, c->now_ms, c->colour);
    json_decref(own);
    json_decref(events);
}

static int describe_target(struct cli *c, const struct target *t, struct lists *l,
                           struct strbuf *out, struct err *e)
{
    const char *selector = options_get(&c->options, OPT_SELECTOR);
    json_t *answer = NULL;
    const json_t *items;
    int r = listing_get(&c->session, t->kind, t->name, &answer, e);

    if (r == 0)
        r = get_lists(c, t->kind, l, e);
    if (r == 0 && t->name)
        describe(c, t->kind, l, answer, out);
    items = look(answer, "items");
    for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
        if (labels_match(selector, json_array_get(items, i)))
            describe(c, t->kind, l, json_array_get(items, i), out);
    json_decref(answer);
    return r;
}

int verb_describe(struct cli *c)
{
    AUTO(selection) struct selection s = { 0 };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct lists lists = { 0 };
    struct err e = ERR_INIT;
    int code = EXIT_DONE;

    if (selection_read(&s, c->options.operands, c->options.n_operands, &e) < 0 ||
        labels_check(options_get(&c->options, OPT_SELECTOR), &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (cli_connect(c))
        return EXIT_FAILED;
    for (size_t i = 0; i < s.n_targets; i++)
        if (describe_target(c, &s.targets[i], &lists, &out, &e) < 0)
            code = cli_fail(&e);
    cli_print(&out);
    json_decref(lists.related);
    json_decref(lists.events);
    return code;
}
