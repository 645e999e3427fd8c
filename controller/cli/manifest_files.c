/* The objects in files: see manifest_files.h. */
#include "controller/cli/manifest_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/base/yaml.h"

#define DEPTH_MAX 16

static void keep(void *data, struct manifest *m)
{
    struct manifest_files *f = data;

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    *ARRAY_ADD(f, manifests) = m;
}

static void refuse(void *data, const struct err *e)
{
    struct manifest_files *f = data;

    *ARRAY_ADD(f, refusals) = *e;
}

static void read_file(struct manifest_files *f, const char *path)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n;

    if (yaml_read_file(path, &text, &n, &e) < 0)
        refuse(f, &e);
    else
        manifest_parse_each(strcmp(path, "-") == 0 ? "standard input" : path, text, n,
                            &(struct manifest_sink){ f, keep, refuse });
}

static bool is_manifest(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot != name &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0 || strcmp(dot, ".json") == 0);
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* In the order of names, so that a run can be repeated. Returns how many files were read. */
static size_t read_folder(struct manifest_files *f, const char *path, bool recursive, int depth)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort);
    size_t read = 0;
    struct err e = ERR_INIT;

    if (n < 0) {
        (void)err_errno(&e, -errno, "%s", path);
        refuse(f, &e);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        AUTO(strbuf) struct strbuf child = STRBUF_INIT;
        const char *name = entries[i]->d_name;

        strbuf_printf(&child, "%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", name);
        if (name[0] != '.' && is_folder(strbuf_text(&child))) {
            if (recursive && depth < DEPTH_MAX)
                read += read_folder(f, strbuf_text(&child), true, depth + 1);
        } else if (name[0] != '.' && is_manifest(name)) {
            read_file(f, strbuf_text(&child));
            read++;
        }
        free(entries[i]);
    }
    free(entries);
    return read;
}

void manifest_files_read(struct manifest_files *f, const char *const *names, size_t n,
                         bool recursive)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < n; i++) {
        if (!*names[i] || !is_folder(names[i])) {
            read_file(f, names[i]);
        } else if (read_folder(f, names[i], recursive, 0) == 0) {
            (void)err_set(&e, -ENOENT, "%s: no *.yaml, *.yml or *.json in it", names[i]);
            refuse(f, &e);
        }
    }
}

void manifest_files_done(struct manifest_files *f)
{
    manifest_list_free(f->manifests, f->n_manifests);
    free(f->refusals);
    *f = (struct manifest_files){ 0 };
}
