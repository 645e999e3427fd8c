/* Declared objects: parsing and printing by the table of manifest_schema.h. */
#include "proto/manifest.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"
#include "proto/manifest_private.h"
#include "proto/manifest_schema.h"

static const struct {
    const char *kind, *plural, *singular, *brief;
} KINDS[KIND_COUNT] = {
    { "ServedModel", "servedmodels", "servedmodel", "model" },
    { "PowerPool", "powerpools", "powerpool", "pool" },
    { "PowerPolicy", "powerpolicies", "powerpolicy", "policy" },
};
static const char *const BRIEF_PLURALS[KIND_COUNT] = { "models", "pools", "policies" };

const char *manifest_kind_name(enum manifest_kind k)
{
    return KINDS[k].kind;
}

const char *manifest_kind_plural(enum manifest_kind k)
{
    return KINDS[k].plural;
}

int manifest_kind_parse(const char *name, enum manifest_kind *ret_kind)
{
    for (int k = 0; k < KIND_COUNT; k++) {
        if (strcasecmp(name, KINDS[k].kind) == 0 || strcasecmp(name, KINDS[k].plural) == 0 ||
            strcasecmp(name, KINDS[k].brief) == 0 || strcasecmp(name, BRIEF_PLURALS[k]) == 0) {
            *ret_kind = (enum manifest_kind)k;
            return 0;
        }
    }
    return -EINVAL;
}

/* --- life --------------------------------------------------------------------------------------
 */

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    fields_done(m, manifest_fields(m->kind));
    if (m->kind == KIND_POWER_POLICY) {
        for (size_t i = 0; i < m->policy.n_windows; i++) {
            free(m->policy.windows[i].days);
            free(m->policy.windows[i].zone);
        }
        free(m->policy.windows);
    }
    free(m->meta.name);
    free(m->meta.namespace);
    free(m->meta.uid);
    string_map_done(&m->meta.labels);
    string_map_done(&m->meta.annotations);
    free(m);
}

void manifest_list_free(struct manifest **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        manifest_free(list[i]);
    free(list);
}

struct manifest *manifest_copy(const struct manifest *m)
{
    json_t *doc = manifest_to_json(m);
    struct manifest *copy = NULL;

    /* What was printed from a valid object parses again. */
    if (manifest_from_json(doc, "copy", &copy, NULL) < 0)
        abort();
    copy->meta.resource_version = m->meta.resource_version;
    copy->meta.generation = m->meta.generation;
    copy->meta.created_wall_ms = m->meta.created_wall_ms;
    free(copy->meta.uid);
    copy->meta.uid = xstrdup(m->meta.uid ? m->meta.uid : "");
    json_decref(doc);
    return copy;
}

/* --- texts of several documents ----------------------------------------------------------------
 */

static void read_each(const struct place *at, json_t *value, const struct manifest_sink *sink)
{
    const char *kind = json_string_value(json_object_get(value, "kind"));
    json_t *items = json_object_get(value, "items");
    struct manifest *m = NULL;
    struct err e = ERR_INIT;

    if (kind && json_is_array(items) && strlen(kind) >= 4 &&
        strcmp(kind + strlen(kind) - 4, "List") == 0) {
        for (size_t i = 0; i < json_array_size(items); i++)
            read_each(&(struct place){ at->from, items, NULL, i, "" }, json_array_get(items, i),
                      sink);
    } else if (manifest_read(at, value, &m, &e) < 0) {
        sink->bad(sink->data, &e);
    } else {
        sink->good(sink->data, m);
    }
}

void manifest_parse_each(const char *file, const char *text, size_t n,
                         const struct manifest_sink *sink)
{
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    struct err e = ERR_INIT;

    if (yaml_parse(file, text, n, &docs, &e) < 0) {
        sink->bad(sink->data, &e);
        return;
    }
    if (docs.n_docs == 0) {
        (void)err_set(&e, -EINVAL, "%s: no object in it", file);
        sink->bad(sink->data, &e);
    }
    for (size_t i = 0; i < docs.n_docs; i++) {
        struct source from = { file, &docs.docs[i] };

        read_each(&(struct place){ &from, NULL, NULL, 0, "" }, docs.docs[i].root, sink);
    }
}

struct list {
    struct manifest **manifests;
    size_t n_manifests, cap_manifests;
    struct err first;
    bool refused;
};

static void keep_good(void *data, struct manifest *m)
{
    struct list *list = data;

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    *ARRAY_ADD(list, manifests) = m;
}

static void keep_first(void *data, const struct err *e)
{
    struct list *list = data;

    if (!list->refused)
        list->first = *e;
    list->refused = true;
}

int manifest_parse(const char *file, const char *text, size_t n, struct manifest ***ret_list,
                   size_t *ret_n, struct err *e)
{
    struct list list = { 0 };

    manifest_parse_each(file, text, n, &(struct manifest_sink){ &list, keep_good, keep_first });
    if (list.refused) {
        manifest_list_free(list.manifests, list.n_manifests);
        return err_set(e, -EINVAL, "%s", list.first.text);
    }
    *ret_list = list.manifests;
    *ret_n = list.n_manifests;
    return 0;
}

int manifest_from_json(const json_t *doc, const char *where, struct manifest **ret_m, struct err *e)
{
    struct source from = { where, NULL };

    return manifest_read(&(struct place){ &from, NULL, NULL, 0, "" }, doc, ret_m, e);
}
