/* events: what happened, oldest first, and what goes on happening. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "controller/cli/description.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/moment.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/clock.h"

struct filter {
    struct selection about; /* one object, or none */
    const char *type;       /* "Warning", or NULL */
    int64_t since_ms;
};

struct following {
    struct writer writer;
    const struct kind *kind;
    struct filter filter;
};

static bool wanted(const struct filter *f, const json_t *event)
{
    const char *type = look_text(event, "type");
    const struct target *t = f->about.targets;

    if (f->about.n_targets && !description_event_of(event, t->kind, t->name))
        return false;
    if (f->type && (!type || strcasecmp(type, f->type) != 0))
        return false;
    return look_time(event, "time") >= f->since_ms;
}

static int read_filter(struct cli *c, struct filter *f, struct err *e)
{
    const char *about = options_get(&c->options, OPT_FOR);
    const char *since = options_get(&c->options, OPT_SINCE);

    f->type = options_get(&c->options, OPT_TYPE);
    if (f->type && strcasecmp(f->type, "Normal") != 0 && strcasecmp(f->type, "Warning") != 0)
        return err_set(e, -EINVAL, "--type is Normal or Warning, not \"%.40s\"", f->type);
    if (since && moment_parse(since, c->now_ms, &f->since_ms, e) < 0)
        return err_prefix(e, -EINVAL, "--since");
    if (about && (selection_read(&f->about, &about, 1, e) < 0))
        return err_prefix(e, -EINVAL, "--for");
    if (about && !f->about.targets[0].name)
        return err_set(e, -EINVAL, "--for wants KIND/NAME, not \"%.60s\"", about);
    return 0;
}

static int on_change(void *data, const char *type, const json_t *event)
{
    struct following *f = data;

    if (strcmp(type, "DELETED") == 0 || !wanted(&f->filter, event))
        return 0;
    f->writer.now_ms = clock_wall_ms();
    writer_item(&f->writer, f->kind, event);
    writer_flush(&f->writer);
    cli_print(&f->writer.out);
    strbuf_clear(&f->writer.out);
    return fflush(stdout) != 0;
}

static int show(struct cli *c, struct following *f)
{
    bool watch = options_on(&c->options, OPT_WATCH);
    struct err e = ERR_INIT;
    json_t *list = NULL;
    const json_t *items;
    size_t shown = 0;
    int r = listing_get(&c->session, f->kind, NULL, &list, &e);

    items = look(list, "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (!wanted(&f->filter, json_array_get(items, i)))
            continue;
        shown++;
        writer_item(&f->writer, f->kind, json_array_get(items, i));
    }
    if (r == 0 && watch)
        writer_flush(&f->writer);
    else if (r == 0 && (shown || !f->writer.ops->human))
        writer_end(&f->writer);
    else if (r == 0)
        (void)fputs("No events found.\n", stderr);
    cli_print(&f->writer.out);
    strbuf_clear(&f->writer.out);
    (void)fflush(stdout);
    if (r == 0 && watch)
        r = listing_watch(&c->session, f->kind, NULL, look_text(list, "metadata.resourceVersion"),
                          on_change, f, &e);
    json_decref(list);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}

int verb_events(struct cli *c)
{
    struct following f = { 0 };
    struct err e = ERR_INIT;
    int code;

    if (writer_init(&f.writer, options_get(&c->options, OPT_OUTPUT), &e) < 0 ||
        read_filter(c, &f.filter, &e) < 0) {
        selection_done(&f.filter.about);
        return cli_usage(c, "%s", e.text);
    }
    f.kind = kind_find("events", &e);
    f.writer.colour = c->colour;
    f.writer.no_headers = options_on(&c->options, OPT_NO_HEADERS);
    f.writer.now_ms = c->now_ms;
    code = cli_connect(c) ? EXIT_FAILED : show(c, &f);
    writer_done(&f.writer);
    selection_done(&f.filter.about);
    return code;
}
