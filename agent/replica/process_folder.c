/* Folders of replicas: their names, and how many are kept. See process.h. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/log_tail.h"
#include "agent/replica/process_private.h"
#include "proto/base/array.h"

#define UID_BYTES_MAX 128

static const char *const FILES[] = { "log", "log.1", "record", "record.new", "record.bad" };

struct ended {
    char *uid;
    struct timespec changed;
};

struct ended_list {
    struct ended *items;
    size_t n_items, cap_items;
};

bool process_uid_valid(const char *uid)
{
    size_t n = strlen(uid);

    return n >= 1 && n <= UID_BYTES_MAX && uid[0] != '.' &&
           n == strspn(uid, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
}

void process_path(const struct processes *p, const char *uid, const char *file,
                  char path[FOLDER_MAX])
{
    (void)snprintf(path, FOLDER_MAX, "%s/%s%s%s", p->folder, uid, file ? "/" : "",
                   file ? file : "");
}

void process_log_tail(const struct processes *p, const char *uid, size_t lines, size_t most,
                      struct strbuf *out)
{
    char folder[FOLDER_MAX];

    process_path(p, uid, NULL, folder);
    if (process_uid_valid(uid))
        log_tail(folder, lines, most, out);
}

/* Collects the folders without a running replica. */
static void find_ended(const struct processes *p, struct ended_list *list)
{
    DIR *d = opendir(p->folder);

    if (!d)
        return;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        char path[FOLDER_MAX];
        struct stat st;

        if (!process_uid_valid(entry->d_name) || process_find(p, entry->d_name))
            continue;
        process_path(p, entry->d_name, "record", path);
        if (lstat(path, &st) == 0)
            continue;
        process_path(p, entry->d_name, NULL, path);
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            *ARRAY_ADD(list, items) = (struct ended){ xstrdup(entry->d_name), st.st_mtim };
    }
    (void)closedir(d);
}

static int newest_first(const void *a, const void *b)
{
    const struct ended *x = a, *y = b;

    if (x->changed.tv_sec != y->changed.tv_sec)
        return x->changed.tv_sec < y->changed.tv_sec ? 1 : -1;
    if (x->changed.tv_nsec != y->changed.tv_nsec)
        return x->changed.tv_nsec < y->changed.tv_nsec ? 1 : -1;
    return strcmp(x->uid, y->uid);
}

static void remove_folder(const struct processes *p, const char *uid)
{
    char path[FOLDER_MAX];

    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        process_path(p, uid, FILES[i], path);
        (void)unlink(path);
    }
    process_path(p, uid, NULL, path);
    (void)rmdir(path);
}

void process_prune(struct processes *p)
{
    struct ended_list list = { 0 };

    find_ended(p, &list);
    if (list.n_items)
        qsort(list.items, list.n_items, sizeof(*list.items), newest_first);
    for (size_t i = 0; i < list.n_items; i++) {
        if (i >= p->ended_kept)
            remove_folder(p, list.items[i].uid);
        free(list.items[i].uid);
    }
    free(list.items);
}
