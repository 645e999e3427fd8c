/* Kubeconfig files, merged as kubectl merges them: see kube_config_private.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_config_private.h"
#include "controller/kube_client/kube_memfd.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

/* --- files ---------------------------------------------------------------------------------- */

static int read_one(struct kube_files *f, const char *path, struct err *e)
{
    struct kube_file *file;
    char *text;
    size_t n;
    int r = yaml_read_file(path, &text, &n, e);

    if (r < 0)
        return r;
    file = ARRAY_ADD(f, files);
    file->path = xstrdup(path);
    r = yaml_parse(path, text, n, &file->docs, e);
    explicit_bzero(text, n);
    free(text);
    if (r == 0 && file->docs.n_docs > 1)
        r = err_set(e, -EINVAL, "%s: expected one document, not several", path);
    if (r == 0 && file->docs.n_docs == 1 && !json_is_object(file->docs.docs[0].root))
        r = err_set(e, -EINVAL, "%s: expected a kubeconfig (a mapping)", path);
    return r;
}

int kube_files_read(struct kube_files *f, const char *names, struct err *e)
{
    while (*names) {
        size_t n = strcspn(names, ":");
        AUTO(strbuf) struct strbuf path = STRBUF_INIT;
        int r;

        strbuf_add(&path, names, n);
        r = n ? read_one(f, strbuf_text(&path), e) : -ENOENT;
        if (r < 0 && r != -ENOENT)
            return r;
        names += n + (names[n] == ':');
    }
    return f->n_files ? 0 : -ENOENT;
}

void kube_files_done(struct kube_files *f)
{
    ARRAY_FOREACH(file, f, files) {
        free(file->path);
        yaml_docs_done(&file->docs);
    }
    free(f->files);
    *f = (struct kube_files){ 0 };
}

static const json_t *root_of(const struct kube_file *file)
{
    return file->docs.n_docs ? file->docs.docs[0].root : NULL;
}

const char *kube_files_text(const struct kube_files *f, const char *key)
{
    ARRAY_FOREACH(file, f, files) {
        const char *text = json_string_value(json_object_get(root_of(file), key));

        if (text && text[0])
            return text;
    }
    return NULL;
}

/* --- entries by name ------------------------------------------------------------------------ */

static bool has_name(const json_t *item, const char *name)
{
    const char *is = json_string_value(json_object_get(item, "name"));

    return is && strcmp(is, name) == 0;
}

/* 1: found. */
static int find_in(const struct kube_file *file, const char *list, const char *key,
                   const char *name, struct kube_entry *ret_entry, struct err *e)
{
    const json_t *items = json_object_get(root_of(file), list), *item;
    int found = 0;
    size_t i;

    json_array_foreach(items, i, item) {
        if (!has_name(item, name))
            continue;
        if (found++)
            return err_set(e, -EINVAL, "%s: %s: \"%s\" stands there twice", file->path, list, name);
        *ret_entry = (struct kube_entry){ .file = file, .value = json_object_get(item, key) };
        (void)snprintf(ret_entry->path, sizeof(ret_entry->path), "%s[%zu].%s", list, i, key);
        if (ret_entry->value && json_is_null(ret_entry->value))
            ret_entry->value = NULL;
        if (ret_entry->value && !json_is_object(ret_entry->value))
            return err_set(e, -EINVAL, "%s: %s: expected a mapping", file->path, ret_entry->path);
    }
    return found;
}

static void list_names(const struct kube_files *f, const char *list, struct strbuf *out)
{
    ARRAY_FOREACH(file, f, files) {
        const json_t *items = json_object_get(root_of(file), list), *item;
        size_t i;

        json_array_foreach(items, i, item) {
            const char *name = json_string_value(json_object_get(item, "name"));

            if (name)
                strbuf_printf(out, "%s%s", out->length ? ", " : "", name);
        }
    }
}

int kube_files_find(const struct kube_files *f, const char *list, const char *key, const char *name,
                    struct kube_entry *ret_entry, struct err *e)
{
    AUTO(strbuf) struct strbuf names = STRBUF_INIT;

    ARRAY_FOREACH(file, f, files) {
        int r = find_in(file, list, key, name, ret_entry, e);

        if (r)
            return r < 0 ? r : 0;
    }
    list_names(f, list, &names);
    return err_set(e, -ENOENT, "%s%s: no \"%s\" in %s; there is: %s", f->files[0].path,
                   f->n_files > 1 ? " and others" : "", name, list,
                   names.length ? strbuf_text(&names) : "nothing");
}

/* --- fields --------------------------------------------------------------------------------- */

int kube_entry_prefix(const struct kube_entry *in, const char *key, int code, struct err *e)
{
    const struct yaml_mark *m =
        in->value ? yaml_find(&in->file->docs.docs[0], in->value, key, 0) : NULL;

    if (m)
        return err_prefix(e, code, "%s:%zu:%zu: %s.%s", in->file->path, m->line, m->column,
                          in->path, key);
    return err_prefix(e, code, "%s: %s.%s", in->file->path, in->path, key);
}

static int wrong(const struct kube_entry *in, const char *key, const char *expected, struct err *e)
{
    err_text(e, "expected %s", expected);
    return kube_entry_prefix(in, key, -EINVAL, e);
}

static const json_t *get(const struct kube_entry *in, const char *key)
{
    const json_t *v = json_object_get(in->value, key);

    return v && !json_is_null(v) ? v : NULL;
}

/* Most of what is read goes into headers and paths. */
static bool is_plain(const json_t *v)
{
    const char *text = json_string_value(v);

    if (!text || strlen(text) != json_string_length(v))
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

int kube_entry_text(const struct kube_entry *in, const char *key, char **ret, struct err *e)
{
    const json_t *v = get(in, key);

    if (v && !is_plain(v))
        return wrong(in, key, "a string of one line (in quotes, where it is a number)", e);
    free(*ret);
    *ret = xstrdup(v ? json_string_value(v) : "");
    return 0;
}

int kube_entry_path(const struct kube_entry *in, const char *key, char **ret, struct err *e)
{
    const char *file = in->file->path, *slash = strrchr(file, '/');
    struct strbuf full = STRBUF_INIT;
    int r = kube_entry_text(in, key, ret, e);

    if (r < 0 || !(*ret)[0] || (*ret)[0] == '/' || !slash)
        return r;
    strbuf_add(&full, file, (size_t)(slash - file) + 1);
    strbuf_puts(&full, *ret);
    free(*ret);
    *ret = strbuf_take(&full);
    return 0;
}

int kube_entry_bool(const struct kube_entry *in, const char *key, bool *ret, struct err *e)
{
    const json_t *v = get(in, key);

    if (v && !json_is_boolean(v))
        return wrong(in, key, "true or false", e);
    *ret = json_is_true(v);
    return 0;
}

int kube_entry_list(const struct kube_entry *in, const char *key, struct string_list *ret,
                    struct err *e)
{
    const json_t *v = get(in, key), *item;
    size_t i;

    if (!v)
        return 0;
    if (!json_is_array(v))
        return wrong(in, key, "a list of strings", e);
    ret->item = xcalloc(json_array_size(v), sizeof(*ret->item));
    json_array_foreach(v, i, item) {
        if (!is_plain(item))
            return wrong(in, key, "a list of strings of one line", e);
        ret->item[ret->n++] = xstrdup(json_string_value(item));
    }
    return 0;
}

int kube_entry_inside(const struct kube_entry *in, const char *key, struct kube_entry *ret_entry,
                      struct err *e)
{
    const json_t *v = get(in, key);

    if (v && !json_is_object(v))
        return wrong(in, key, "a mapping", e);
    *ret_entry = (struct kube_entry){ .file = in->file, .value = v };
    (void)snprintf(ret_entry->path, sizeof(ret_entry->path), "%.120s.%.36s", in->path, key);
    return 0;
}

int kube_entry_pem(const struct kube_entry *in, const char *key, char **ret_path, int *ret_fd,
                   struct err *e)
{
    char data_key[64];
    const json_t *data;
    char *path = NULL;
    int r;

    (void)snprintf(data_key, sizeof(data_key), "%s-data", key);
    data = get(in, data_key);
    if (data && !json_is_string(data))
        return wrong(in, data_key, "base64", e);
    if (!data || !json_string_length(data)) {
        r = kube_entry_path(in, key, ret_path, e);
        if (r == 0 && (*ret_path)[0] && access(*ret_path, R_OK) < 0) {
            err_text_errno(e, -errno, "%s", *ret_path);
            return kube_entry_prefix(in, key, -EINVAL, e);
        }
        return r;
    }
    r = kube_memfd_base64(json_string_value(data), ret_fd, &path, e);
    if (r < 0)
        return kube_entry_prefix(in, data_key, r, e);
    free(*ret_path);
    *ret_path = path;
    return 0;
}
