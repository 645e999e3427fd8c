/* delete: declared objects, by name or as files declare them, and nodes that were given away. */
#include <errno.h>
#include <string.h>

#include "controller/cli/manifest_files.h"
#include "controller/cli/selection.h"
#include "controller/cli/verb.h"

static int delete_one(struct cli *c, const struct kind *r, const char *name)
{
    const char *dry_run = options_get(&c->options, OPT_DRY_RUN_SERVER);
    bool server = dry_run && strcmp(dry_run, "server") == 0;
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct err e = ERR_INIT;
    int result;

    session_path(&path, r->plural, name);
    if (server)
        strbuf_puts(&path, "?dryRun=All");
    result = session_call(&c->session, "DELETE", strbuf_text(&path), NULL, NULL, &e);
    if (result == -ENOENT && options_on(&c->options, OPT_IGNORE_NOT_FOUND))
        return EXIT_DONE;
    if (result < 0)
        return cli_fail(&e);
    (void)printf("%s/%s deleted%s\n", r->singular, name, server ? " (server dry run)" : "");
    return EXIT_DONE;
}

static int delete_files(struct cli *c)
{
    AUTO(manifest_files) struct manifest_files f = { 0 };
    struct err e = ERR_INIT;
    int code = cli_read_files(c, &f);

    if (code || cli_connect(c))
        return code ? code : EXIT_FAILED;
    for (size_t i = 0; i < f.n_manifests; i++)
        code |= delete_one(c, kind_find(manifest_kind_plural(f.manifests[i]->kind), &e),
                           f.manifests[i]->meta.name);
    return code;
}

int verb_delete(struct cli *c)
{
    const char *dry_run = options_get(&c->options, OPT_DRY_RUN_SERVER);
    AUTO(selection) struct selection s = { 0 };
    struct err e = ERR_INIT;
    int code = EXIT_DONE;

    if (dry_run && strcmp(dry_run, "server") != 0 && strcmp(dry_run, "none") != 0)
        return cli_usage(c, "--dry-run is server or none here, not \"%.40s\"", dry_run);
    if (c->options.n_operands == 0)
        return delete_files(c);
    if (c->options.given[OPT_FILENAME].n_values)
        return cli_usage(c, "delete takes names or -f FILE, not both");
    if (selection_read(&s, c->options.operands, c->options.n_operands, &e) < 0)
        return cli_usage(c, "%s", e.text);
    for (size_t i = 0; i < s.n_targets; i++) {
        if (!s.targets[i].kind->removed)
            return cli_usage(c, "%s are not declared by people and cannot be deleted",
                             s.targets[i].kind->plural);
        if (!s.targets[i].name)
            return cli_usage(c, "delete needs the names of the %s to delete",
                             s.targets[i].kind->plural);
    }
    if (cli_connect(c))
        return EXIT_FAILED;
    for (size_t i = 0; i < s.n_targets; i++)
        code |= delete_one(c, s.targets[i].kind, s.targets[i].name);
    return code;
}
