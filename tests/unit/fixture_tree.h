/* A small tree of files below a temporary folder, for tests of what reads /proc and cgroups. */
#ifndef HUDDLE_TEST_FIXTURE_TREE_H
#define HUDDLE_TEST_FIXTURE_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct fixture_tree {
    char root[64];
};

static inline void fixture_tree_init(struct fixture_tree *t)
{
    (void)snprintf(t->root, sizeof(t->root), "/tmp/fixture.XXXXXX");
    assert_non_null(mkdtemp(t->root));
}

static inline int fixture_remove(const char *path, const struct stat *st, int kind,
                                 struct FTW *place)
{
    (void)st;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void fixture_tree_done(struct fixture_tree *t)
{
    (void)nftw(t->root, fixture_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file, with the folders above it. `name` begins with a slash. */
static inline void fixture_put(const struct fixture_tree *t, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s%s", t->root, name);
    for (char *slash = strchr(path + strlen(t->root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline void fixture_drop(const struct fixture_tree *t, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s%s", t->root, name);
    assert_int_equal(remove(path), 0);
}

#endif
