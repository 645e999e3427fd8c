/* Reading runtimes.d: see runtimes.h. Looking up and filling in is in runtimes_resolve.c. */
#include "agent/replica/runtimes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/runtimes_private.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"

#define NAME_MAX_BYTES 63
#define FILES_MAX 256

/* Read by read_arguments(), which knows where in the file it stands. */
static int leave_for_later(void *base, const json_t *value, struct err *e)
{
    (void)base;
    (void)value;
    (void)e;
    return 0;
}

#define R(member) offsetof(struct runtime, member)
static const struct field FIELDS[] = {
    { "name", FIELD_TEXT, R(name), NULL, 0, 0, NULL, "", NULL },
    { "exec", FIELD_TEXT, R(exec), NULL, 0, 0, NULL, "", NULL },
    { "fixed", FIELD_LIST, R(fixed), NULL, 0, 0, NULL, "", NULL },
    { "arguments", FIELD_CUSTOM, 0, NULL, 0, 0, NULL, "", leave_for_later },
    { "port.flag", FIELD_TEXT, R(port.flag), NULL, 0, 0, NULL, "", NULL },
    { "port.least", FIELD_INT, R(port.least), "1", 1, 65535, NULL, "", NULL },
    { "port.most", FIELD_INT, R(port.most), "65535", 1, 65535, NULL, "", NULL },
    { "port.proxied", FIELD_BOOL, R(port.proxied), "false", 0, 0, NULL, "", NULL },
    { "environment", FIELD_LIST, R(environment), NULL, 0, 0, NULL, "", NULL },
    { "variables", FIELD_MAP, R(variables), NULL, 0, 0, NULL, "", NULL },
    { "user", FIELD_TEXT, R(user), NULL, 0, 0, NULL, "", NULL },
    { "cpu", FIELD_CPU, R(cpu_milli), NULL, 1, 0, NULL, "", NULL },
    { "memory", FIELD_BYTES, R(memory_bytes), NULL, 1, 0, NULL, "", NULL },
    { "openFiles", FIELD_INT, R(open_files), NULL, 16, 1 << 24, NULL, "", NULL },
    FIELDS_END,
};

static void runtime_done(struct runtime *rt)
{
    ARRAY_FOREACH(a, rt, arguments) {
        argument_done(a);
    }
    free(rt->arguments);
    fields_done(rt, FIELDS);
    *rt = (struct runtime){ 0 };
}

void runtimes_free(struct runtimes *r)
{
    if (!r)
        return;
    ARRAY_FOREACH(rt, r, runtimes) {
        runtime_done(rt);
    }
    free(r->runtimes);
    free(r->names);
    free(r);
}

size_t runtimes_names(const struct runtimes *r, const char *const **ret_names)
{
    *ret_names = r->names;
    return r->n_runtimes;
}

/* --- who may write them ------------------------------------------------------------------------
 */

/* Whoever may write here decides what runs on this node. */
static int check_owner(const char *path, const struct stat *st, struct err *e)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return err_set(e, -EPERM,
                       "%s: owned by uid %u, must be owned by root or by the agent's own user; "
                       "try: chown root %s",
                       path, st->st_uid, path);
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return err_set(e, -EPERM, "%s: its group or others may write it; try: chmod go-w %s", path,
                       path);
    return 0;
}

static int read_text(const char *path, char **ret_text, size_t *ret_n, struct err *e)
{
    AUTO(fd) int fd = text_file_open(path);
    AUTO(mem) char *text = NULL;
    struct stat st;
    int r;

    if (fd < 0)
        return err_errno(e, fd, "%s", path);
    if (fstat(fd, &st) < 0)
        return err_errno(e, -errno, "%s", path);
    r = check_owner(path, &st, e);
    if (r < 0)
        return r;
    if (st.st_size > YAML_TEXT_MAX)
        return err_set(e, -EFBIG, "%s: larger than %u bytes", path, YAML_TEXT_MAX);
    text = xmalloc((size_t)st.st_size + 2);
    r = text_file_pread(fd, text, (size_t)st.st_size + 2);
    if (r < 0)
        return err_errno(e, r, "%s", path);
    *ret_text = TAKE(text);
    *ret_n = (size_t)r;
    return 0;
}

/* --- one runtime -------------------------------------------------------------------------------
 */

static bool name_valid(const char *name)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = strlen(name);

    return n >= 1 && n <= NAME_MAX_BYTES && strchr(LETTERS, name[0]) &&
           !name[strspn(name, "-.abcdefghijklmnopqrstuvwxyz0123456789")];
}

bool variable_name_valid(const char *key)
{
    static const char FIRST[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

    return *key && strchr(FIRST, *key) &&
           !key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz0123456789")];
}

bool variable_is_ours(const char *key)
{
    return strcmp(key, "PORT") == 0 || strncmp(key, "HUDDLE_", 7) == 0 ||
           strcmp(key, "CUDA_VISIBLE_DEVICES") == 0;
}

static const char *variable_wrong(const char *key)
{
    if (!variable_name_valid(key))
        return "expected names of letters, digits and \"_\"";
    return variable_is_ours(key) ? "huddle sets PORT, HUDDLE_* and CUDA_VISIBLE_DEVICES itself"
                                 : NULL;
}

/* What is wrong with a runtime as a whole; *ret_key is where it stands. */
static const char *runtime_wrong(const struct runtime *rt, const char **ret_key)
{
    const char *wrong = NULL;

    *ret_key = "name";
    if (!name_valid(rt->name))
        return "expected 1 to 63 lower-case letters, digits, \"-\" or \".\"";
    *ret_key = "exec";
    if (rt->exec[0] != '/')
        return "expected the absolute path of a program";
    *ret_key = "port";
    if (rt->port.least > rt->port.most)
        return "least is greater than most";
    if (rt->port.flag[0] && rt->port.flag[0] != '-')
        return "flag: expected a word that begins with \"-\"";
    *ret_key = "environment";
    for (size_t i = 0; i < rt->environment.n && !wrong; i++)
        wrong = variable_wrong(rt->environment.item[i]);
    if (wrong)
        return wrong;
    *ret_key = "variables";
    for (size_t i = 0; i < rt->variables.n && !wrong; i++)
        wrong = variable_wrong(rt->variables.pair[i].key);
    return wrong;
}

static int read_arguments(struct runtime *rt, const struct place *top, const json_t *root,
                          struct err *e)
{
    json_t *arguments = json_object_get(root, "arguments"), *value;
    struct place at = place_below(top, root, "arguments");
    const char *name;

    if (!arguments || json_is_null(arguments))
        return 0;
    if (!json_is_object(arguments))
        return place_wrong_type(&at, arguments, "a mapping of names to their types", e);
    json_object_foreach(arguments, name, value) {
        struct place below = place_below(&at, arguments, name);
        struct argument a;
        int r = argument_read(&a, name, &below, value, e);

        if (r < 0)
            return r;
        *ARRAY_ADD(rt, arguments) = a;
    }
    return 0;
}

static int read_runtime(struct runtime *rt, const struct source *from, const json_t *root,
                        struct err *e)
{
    struct place top = { from, NULL, NULL, 0, "" };
    const char *key, *wrong;
    int r = fields_read(rt, FIELDS, &top, root, e);

    if (r < 0)
        return r;
    wrong = runtime_wrong(rt, &key);
    if (wrong) {
        struct place at = place_below(&top, root, key);

        return place_error(&at, e, wrong);
    }
    return read_arguments(rt, &top, root, e);
}

static int read_file(struct runtimes *r, const char *path, struct err *e)
{
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    AUTO(mem) char *text = NULL;
    struct source from = { path, NULL };
    struct runtime rt = { 0 };
    size_t n = 0;
    int code;

    if ((code = read_text(path, &text, &n, e)) < 0 ||
        (code = yaml_parse(path, text, n, &docs, e)) < 0)
        return code;
    if (docs.n_docs != 1)
        return err_set(e, -EINVAL, "%s: %zu documents, expected one runtime", path, docs.n_docs);
    from.doc = docs.docs;
    code = read_runtime(&rt, &from, docs.docs[0].root, e);
    if (code < 0)
        runtime_done(&rt);
    else
        *ARRAY_ADD(r, runtimes) = rt;
    return code;
}

/* --- the folder --------------------------------------------------------------------------------
 */

static int wanted(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".yaml") == 0;
}

static int read_all(struct runtimes *r, const char *folder, struct err *e)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, wanted, alphasort), code = 0;

    if (n < 0)
        return err_errno(e, -errno, "%s", folder);
    if (n > FILES_MAX)
        code = err_set(e, -E2BIG, "%s: %d files, at most %d", folder, n, FILES_MAX);
    for (int i = 0; i < n; i++) {
        AUTO(strbuf) struct strbuf path = STRBUF_INIT;

        strbuf_printf(&path, "%s/%s", folder, entries[i]->d_name);
        if (code == 0)
            code = read_file(r, strbuf_text(&path), e);
        free(entries[i]);
    }
    free(entries);
    return code;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct runtime *)a)->name, ((const struct runtime *)b)->name);
}

static int put_in_order(struct runtimes *r, const char *folder, struct err *e)
{
    if (r->n_runtimes)
        qsort(r->runtimes, r->n_runtimes, sizeof(*r->runtimes), by_name);
    r->names = xcalloc(r->n_runtimes, sizeof(*r->names));
    for (size_t i = 0; i < r->n_runtimes; i++) {
        r->names[i] = r->runtimes[i].name;
        if (i && strcmp(r->names[i - 1], r->names[i]) == 0)
            return err_set(e, -EEXIST, "%s: two files define the runtime \"%s\"", folder,
                           r->names[i]);
    }
    return 0;
}

int runtimes_load(const char *folder, struct runtimes **ret_runtimes, struct err *e)
{
    AUTO(runtimes) struct runtimes *r = xcalloc(1, sizeof(*r));
    struct stat st;
    int code = 0;

    if (stat(folder, &st) < 0)
        code = errno == ENOENT ? 0 : err_errno(e, -errno, "%s", folder);
    else if ((code = check_owner(folder, &st, e)) == 0)
        code = read_all(r, folder, e);
    if (code == 0)
        code = put_in_order(r, folder, e);
    if (code < 0)
        return code;
    *ret_runtimes = TAKE(r);
    return 0;
}
