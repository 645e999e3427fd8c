/* apply: declared objects are made so on the server, or only checked. */
#include <errno.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/manifest_files.h"
#include "controller/cli/merge.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"

#define TRIES 5 /* when somebody else changes the object meanwhile */

enum dry_run { DRY_RUN_NONE, DRY_RUN_CLIENT, DRY_RUN_SERVER };

struct applying {
    struct cli *cli;
    enum dry_run dry_run;
    const char *output; /* NULL: say what was done */
    struct writer writer;
};

static const struct kind *kind_of_manifest(const struct manifest *m)
{
    struct err e;

    return kind_find(manifest_kind_plural(m->kind), &e);
}

/* Creates, replaces or leaves alone. `ret_did` is "created", "configured" or "unchanged". */
static int apply_once(struct applying *a, const struct manifest *m, json_t **ret_object,
                      const char **ret_did, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    const char *method = "PUT", *query = a->dry_run == DRY_RUN_SERVER ? "?dryRun=All" : "";
    json_t *live = NULL, *wanted = manifest_to_json(m);
    int r;

    session_path(&path, manifest_kind_plural(m->kind), m->meta.name);
    r = session_call(&a->cli->session, "GET", strbuf_text(&path), NULL, &live, e);
    *ret_did = "configured";
    if (r == -ENOENT) {
        *ret_did = "created";
        method = "POST";
        strbuf_clear(&path);
        session_path(&path, manifest_kind_plural(m->kind), NULL);
    } else if (r == 0 && !merge_into(wanted, live)) {
        *ret_did = "unchanged";
        *ret_object = live;
        json_decref(wanted);
        return 0;
    } else if (r < 0) {
        json_decref(wanted);
        return r;
    }
    strbuf_puts(&path, query);
    r = session_call(&a->cli->session, method, strbuf_text(&path), wanted, ret_object, e);
    json_decref(live);
    json_decref(wanted);
    return r;
}

static int apply_object(struct applying *a, const struct manifest *m)
{
    const struct kind *kind = kind_of_manifest(m);
    const char *did = "";
    json_t *object = NULL;
    struct err e = ERR_INIT;
    int r = -EEXIST;

    for (int i = 0; i < TRIES && r == -EEXIST; i++)
        r = apply_once(a, m, &object, &did, &e);
    if (r < 0) {
        (void)err_prefix(&e, r, "%s/%s", kind->singular, m->meta.name);
        return cli_fail(&e);
    }
    if (a->output)
        writer_item(&a->writer, kind, object);
    else
        (void)printf("%s/%s %s%s\n", kind->singular, m->meta.name, did,
                     a->dry_run == DRY_RUN_SERVER ? " (server dry run)" : "");
    json_decref(object);
    return EXIT_DONE;
}

/* Prints every object with its defaults: as YAML, unless asked otherwise. */
static int show_checked(struct applying *a, const struct manifest_files *f)
{
    for (size_t i = 0; i < f->n_manifests; i++) {
        json_t *object = manifest_to_json(f->manifests[i]);

        writer_item(&a->writer, kind_of_manifest(f->manifests[i]), object);
        writer_flush(&a->writer);
        json_decref(object);
    }
    cli_print(&a->writer.out);
    return EXIT_DONE;
}

static int apply_all(struct applying *a, const struct manifest_files *f)
{
    int code = EXIT_DONE;

    if (cli_connect(a->cli))
        return EXIT_FAILED;
    for (size_t i = 0; i < f->n_manifests; i++)
        code |= apply_object(a, f->manifests[i]);
    if (a->output)
        writer_end(&a->writer);
    cli_print(&a->writer.out);
    return code;
}

static int read_dry_run(const char *word, enum dry_run *ret, struct err *e)
{
    if (!word || strcmp(word, "none") == 0)
        *ret = DRY_RUN_NONE;
    else if (strcmp(word, "client") == 0)
        *ret = DRY_RUN_CLIENT;
    else if (strcmp(word, "server") == 0)
        *ret = DRY_RUN_SERVER;
    else
        return err_set(e, -EINVAL, "--dry-run is client, server or none, not \"%.40s\"", word);
    return 0;
}

int cli_read_files(struct cli *c, struct manifest_files *f)
{
    struct options *o = &c->options;

    if (!o->given[OPT_FILENAME].n_values)
        return cli_usage(c, "%s needs -f FILE", c->verb->name);
    manifest_files_read(f, o->given[OPT_FILENAME].values, o->given[OPT_FILENAME].n_values,
                        options_on(o, OPT_RECURSIVE));
    for (size_t i = 0; i < f->n_refusals; i++) {
        AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

        text_safe(&safe, f->refusals[i].text); /* file:line:column first, as editors want it */
        (void)fprintf(stderr, "%s\n", strbuf_text(&safe));
    }
    return f->n_refusals ? EXIT_FAILED : EXIT_DONE;
}

int verb_apply(struct cli *c)
{
    struct applying a = { .cli = c, .output = options_get(&c->options, OPT_OUTPUT) };
    AUTO(manifest_files) struct manifest_files f = { 0 };
    const char *dry_run = options_get(&c->options, OPT_DRY_RUN);
    struct err e = ERR_INIT;
    int code;

    if (read_dry_run(dry_run, &a.dry_run, &e) < 0 ||
        writer_init(&a.writer, a.output ? a.output : "yaml", &e) < 0)
        return cli_usage(c, "%s", e.text);
    a.writer.colour = c->colour;
    a.writer.now_ms = c->now_ms;
    code = cli_read_files(c, &f);
    writer_begin(&a.writer, f.n_manifests == 1);
    if (code == EXIT_DONE)
        code = a.dry_run == DRY_RUN_CLIENT ? show_checked(&a, &f) : apply_all(&a, &f);
    writer_done(&a.writer);
    return code;
}
