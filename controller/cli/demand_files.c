/* See demand_files.h. */
#include "controller/cli/demand_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"

#define BYTES_MOST (256u << 20)

int demand_file_text(const char *path, char **ret_text, struct err *e)
{
    AUTO(mem) char *text = NULL;
    size_t n;
    int r = file_read(path, BYTES_MOST, &text, &n, e);

    if (r < 0)
        return r;
    if (strlen(text) != n)
        return err_set(e, -EINVAL, "%s: a NUL in it: it is no text", path);
    *ret_text = TAKE(text);
    return 0;
}

static int read_file(const char *path, const char *model, const char *label, struct traces *t,
                     struct err *e)
{
    AUTO(mem) char *text = NULL;
    bool standard = strcmp(path, "-") == 0;
    int r = demand_file_text(standard ? "/dev/stdin" : path, &text, e);

    return r < 0 ? r : trace_read(standard ? "standard input" : path, text, model, label, t, e);
}

static bool is_source(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot != name && (strcmp(dot, ".csv") == 0 || strcmp(dot, ".json") == 0);
}

/* In the order of names, so that a run can be repeated. */
static int read_folder(const char *path, const char *model, const char *label, struct traces *t,
                       struct err *e)
{
    struct dirent **entries = NULL;
    int n = scandir(path, &entries, NULL, alphasort), r = 0, read = 0;

    if (n < 0)
        return err_errno(e, -errno, "%s", path);
    for (int i = 0; i < n; i++) {
        AUTO(strbuf) struct strbuf child = STRBUF_INIT;

        strbuf_printf(&child, "%s/%s", path, entries[i]->d_name);
        if (r == 0 && is_source(entries[i]->d_name)) {
            r = read_file(strbuf_text(&child), model, label, t, e);
            read++;
        }
        free(entries[i]);
    }
    free(entries);
    if (r == 0 && read == 0)
        r = err_set(e, -ENOENT, "%s: no *.csv or *.json in it", path);
    return r;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The last part of "/data/servegen/m-small/". */
static void name_folder(struct strbuf *out, const char *path)
{
    size_t n = strlen(path), from;

    while (n > 1 && path[n - 1] == '/')
        n--;
    for (from = n; from > 0 && path[from - 1] != '/';)
        from--;
    strbuf_add(out, path + from, n - from);
}

int demand_files_read(const char *what, const char *label, struct traces *t, struct err *e)
{
    AUTO(strbuf) struct strbuf model = STRBUF_INIT;
    size_t n = strcspn(what, "=");
    const char *path = what;

    if (what[n] && !memchr(what, '/', n)) { /* a path may have a '=' in it, behind a '/' */
        strbuf_add(&model, what, n);
        path = what + n + 1;
        if (n == 0 || !*path)
            return err_set(e, -EINVAL, "\"%.80s\" is no MODEL=FILE", what);
    }
    if (!is_folder(path))
        return read_file(path, model.length ? strbuf_text(&model) : NULL, label, t, e);
    if (!model.length)
        name_folder(&model, path);
    return read_folder(path, strbuf_text(&model), label, t, e);
}
