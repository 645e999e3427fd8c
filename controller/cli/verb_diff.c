/* diff: what apply would change, as a unified diff of YAML. Exit code 0: nothing, 1: something, 2:
 * it could not be found out. */
#include <errno.h>
#include <stdlib.h>

#include "controller/cli/diff.h"
#include "controller/cli/look.h"
#include "controller/cli/manifest_files.h"
#include "controller/cli/merge.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/array.h"

enum { EXIT_SAME = 0, EXIT_DIFFERENT = 1, EXIT_TROUBLE = 2 };

/* What a person declares of an object; status, versions and times are the server's. */
static char *declared_text(const json_t *object)
{
    struct strbuf out = STRBUF_INIT;
    json_t *meta = json_object(), *whole = json_object();
    static const char *const KEPT[] = { "name", "labels", "annotations" };
    json_t *spec = (json_t *)(uintptr_t)look(object, "spec");

    for (size_t i = 0; i < sizeof(KEPT) / sizeof(KEPT[0]); i++) {
        json_t *value = json_object_get(look(object, "metadata"), KEPT[i]);

        if (value && (json_is_string(value) || json_object_size(value)))
            json_object_set(meta, KEPT[i], value);
    }
    json_object_set(whole, "apiVersion", json_object_get(object, "apiVersion"));
    json_object_set(whole, "kind", json_object_get(object, "kind"));
    json_object_set_new(whole, "metadata", meta);
    if (spec)
        json_object_set(whole, "spec", spec);
    write_yaml(&out, whole);
    json_decref(whole);
    return strbuf_take(&out);
}

static int diff_object(struct cli *c, const struct manifest *m, struct strbuf *out, struct err *e)
{
    const char *plural = manifest_kind_plural(m->kind);
    AUTO(strbuf) struct strbuf path = STRBUF_INIT, live_name = STRBUF_INIT, name = STRBUF_INIT;
    AUTO(mem) char *before = NULL, *after = NULL;
    json_t *live = NULL, *wanted = manifest_to_json(m);
    int r;

    session_path(&path, plural, m->meta.name);
    r = session_call(&c->session, "GET", strbuf_text(&path), NULL, &live, e);
    if (r == 0)
        (void)merge_into(wanted, live);
    if (r == 0 || r == -ENOENT) {
        before = live ? declared_text(live) : xstrdup("");
        after = declared_text(wanted);
        strbuf_printf(&live_name, "live/%s/%s", plural, m->meta.name);
        strbuf_printf(&name, "declared/%s/%s", plural, m->meta.name);
        r = diff_unified(out, strbuf_text(&live_name), before, strbuf_text(&name), after,
                         c->colour);
    }
    json_decref(live);
    json_decref(wanted);
    return r;
}

int verb_diff(struct cli *c)
{
    AUTO(manifest_files) struct manifest_files f = { 0 };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    int code = EXIT_SAME;

    if (cli_read_files(c, &f) || cli_connect(c))
        return EXIT_TROUBLE;
    for (size_t i = 0; i < f.n_manifests; i++) {
        int r = diff_object(c, f.manifests[i], &out, &e);

        if (r < 0) {
            (void)cli_fail(&e);
            code = EXIT_TROUBLE;
        } else if (r > 0 && code == EXIT_SAME) {
            code = EXIT_DIFFERENT;
        }
    }
    cli_print(&out);
    return code;
}
