/* The zones below /sys/class/powercap: see powercap_tree.h. */
#include "agent/sensor/powercap_tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

static void dir_close(DIR *d)
{
    (void)closedir(d);
}
DEFINE_AUTO(dir, DIR *, dir_close);

/* The number behind "PREFIX:", when that is all there is: "intel-rapl:0:1" of "intel-rapl:0". */
static bool child_number(const char *name, const char *prefix, uint32_t *ret_number)
{
    size_t n = strlen(prefix), digits;
    uint64_t number = 0;

    if (strncmp(name, prefix, n) != 0 || name[n] != ':')
        return false;
    name += n + 1;
    digits = strspn(name, "0123456789");
    if (digits == 0 || digits > 9 || name[digits] || text_u64(name, &number) < 0 ||
        (name[0] == '0' && digits > 1))
        return false; /* as the kernel writes it, or two names would be one zone */
    *ret_number = (uint32_t)number;
    return true;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_number(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The numbers of the zones in `folder` whose names begin with "prefix:", ascending. */
static size_t child_numbers(const char *folder, const char *prefix,
                            uint32_t numbers[POWERCAP_ZONES_MAX])
{
    AUTO(dir) DIR *d = opendir(folder);
    size_t n = 0;

    if (!d)
        return 0;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        char path[512];
        if (n == POWERCAP_ZONES_MAX || !child_number(entry->d_name, prefix, &numbers[n]))
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < sizeof(path) &&
            is_folder(path))
            n++;
    }
    qsort(numbers, n, sizeof(numbers[0]), by_number);
    return n;
}

static bool fits(int length, size_t size)
{
    return length >= 0 && (size_t)length < size;
}

/* Adds the zones of `folder` and, below each, its own. `prefix` is the folder's own name. */
static void walk(struct powercap_tree *t, const char *control, const char *folder,
                 const char *prefix, size_t parent)
{
    uint32_t numbers[POWERCAP_ZONES_MAX];
    uint32_t depth = parent == SIZE_MAX ? 0 : t->nodes[parent].depth;
    size_t n = depth < POWERCAP_DEPTH_MAX ? child_numbers(folder, prefix, numbers) : 0;

    for (size_t i = 0; i < n && t->n_nodes < POWERCAP_ZONES_MAX; i++) {
        struct powercap_node node = { .depth = depth + 1, .parent = parent };
        char own[128], file[300];

        if (parent != SIZE_MAX)
            memcpy(node.index, t->nodes[parent].index, sizeof(node.index));
        node.index[depth] = numbers[i];
        (void)snprintf(node.control, sizeof(node.control), "%s", control);
        const char *above = parent == SIZE_MAX ? "" : t->nodes[parent].path;
        if (!fits(snprintf(own, sizeof(own), "%s:%u", prefix, numbers[i]), sizeof(own)) ||
            !fits(snprintf(node.path, sizeof(node.path), "%s%s%s", above, *above ? "/" : "", own),
                  sizeof(node.path)) ||
            !fits(snprintf(node.folder, sizeof(node.folder), "%s/%s", folder, own),
                  sizeof(node.folder)))
            continue;
        (void)snprintf(file, sizeof(file), "%s/name", node.folder);
        if (text_file_line(file, node.name, sizeof(node.name)) <= 0)
            (void)snprintf(node.name, sizeof(node.name), "%.63s", own);
        *ARRAY_ADD(t, nodes) = node;
        walk(t, control, node.folder, own, t->n_nodes - 1);
    }
}

/* Printable ASCII as the kernel gives: the name goes into reports and JSON. */
static int control_filter(const struct dirent *entry)
{
    const char *name = entry->d_name;
    size_t n = 0;

    while (name[n] > ' ' && name[n] <= '~' && name[n] != ':')
        n++;
    return name[0] != '.' && name[n] == '\0' && n < 64;
}

int powercap_tree_walk(const char *root, struct powercap_tree *ret_tree, struct err *e)
{
    struct powercap_tree t = { 0 };
    struct dirent **entries = NULL;
    int n = scandir(root, &entries, control_filter, alphasort);

    if (n < 0)
        return err_errno(e, -errno, "%s", root);
    for (int i = 0; i < n; i++) {
        char folder[256];
        if (fits(snprintf(folder, sizeof(folder), "%s/%s", root, entries[i]->d_name),
                 sizeof(folder)) &&
            is_folder(folder))
            walk(&t, entries[i]->d_name, folder, entries[i]->d_name, SIZE_MAX);
        free(entries[i]);
    }
    free(entries);
    *ret_tree = t;
    return 0;
}

void powercap_tree_done(struct powercap_tree *t)
{
    free(t->nodes);
    memset(t, 0, sizeof(*t));
}

int powercap_tree_link(const char *root, const char *tree, struct err *e)
{
    char now[PATH_MAX], next[PATH_MAX];
    ssize_t n = readlink(root, now, sizeof(now) - 1);

    if (n > 0) {
        now[n] = '\0';
        if (strcmp(now, tree) == 0)
            return 0;
        if (!fits(snprintf(next, sizeof(next), "%s.next", root), sizeof(next)))
            return err_errno(e, -ENAMETOOLONG, "powercapTree: a link at %s", root);
        (void)unlink(next); /* of one that was killed here */
        if (symlink(tree, next) == 0 && rename(next, root) == 0)
            return 0;
    } else if (symlink(tree, root) == 0) {
        return 0;
    }
    return err_errno(e, -errno, "powercapTree: a link at %s (is its folder an empty volume?)",
                     root);
}
