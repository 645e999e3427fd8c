/* Looking at files and reading those that changed: see grid_files.h. What is looked at is gathered
 * before anything is told, since telling changes what policies want. */
#include "controller/grid_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/power/folders.h"
#include "proto/base/array.h"

#define BYTES_MAX (16u << 20)
#define KEY "gridFiles"

struct seen { /* of one file, when it was told last */
    char *path;
    bool named, due; /* in this look */
    int error;       /* -errno; 0: it was read */
    struct timespec changed;
    off_t size;
    ino_t inode;
};

struct grid_files {
    const struct string_list *folders;
    struct seen *seen;
    size_t n_seen, cap_seen;
};

struct grid_files *grid_files_new(const struct string_list *folders)
{
    struct grid_files *g = xcalloc(1, sizeof(*g));

    g->folders = folders;
    return g;
}

void grid_files_free(struct grid_files *g)
{
    if (!g)
        return;
    ARRAY_FOREACH(s, g, seen)
        free(s->path);
    free(g->seen);
    free(g);
}

/* --- which -------------------------------------------------------------------------------------
 */

static void note(void *data, const char *path, bool due)
{
    struct grid_files *g = data;
    struct seen *found = NULL;

    ARRAY_FOREACH(s, g, seen)
        if (strcmp(s->path, path) == 0)
            found = s;
    if (!found) {
        found = ARRAY_ADD(g, seen);
        found->path = xstrdup(path);
        due = true;
    }
    found->due |= due;
    found->named = true;
}

static void forget_unnamed(struct grid_files *g)
{
    for (size_t i = 0; i < g->n_seen; i++) {
        if (g->seen[i].named)
            continue;
        free(g->seen[i].path);
        ARRAY_REMOVE_SWAP(g, seen, i);
        i--;
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

static int read_whole(int fd, size_t n, char **ret_text, size_t *ret_n)
{
    AUTO(mem) char *text = xmalloc(n + 1);
    size_t at = 0;
    ssize_t got = 1;

    while (at < n && got > 0) {
        got = read(fd, text + at, n - at);
        if (got < 0 && errno != EINTR)
            return -errno;
        at += got > 0 ? (size_t)got : 0;
        got = got < 0 ? 1 : got;
    }
    text[at] = '\0';
    *ret_text = TAKE(text);
    *ret_n = at;
    return 0;
}

/* The path behind links, opened without waiting (a FIFO) and found to be a file. */
static int open_file(const struct grid_files *g, const char *path, struct stat *ret_st,
                     struct err *e)
{
    AUTO(mem) char *real = NULL;
    AUTO(fd) int fd = -1;
    int r = power_folders_resolve(g->folders, KEY, path, &real, e);

    if (r < 0)
        return r;
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, ret_st) < 0)
        return err_errno(e, -errno, "%.200s", path);
    if (!S_ISREG(ret_st->st_mode))
        return err_set(e, -EINVAL, "%.200s: expected a file", path);
    if (ret_st->st_size > (off_t)BYTES_MAX)
        return err_set(e, -EFBIG, "%.200s: larger than 16 MiB; leave out the oldest lines", path);
    return take_fd(&fd);
}

static bool is_as_before(const struct seen *s, const struct stat *st)
{
    return !s->due && s->error == 0 && s->changed.tv_sec == st->st_mtim.tv_sec &&
           s->changed.tv_nsec == st->st_mtim.tv_nsec && s->size == st->st_size &&
           s->inode == st->st_ino;
}

static void look_at(const struct grid_files *g, struct seen *s, grid_file_fn *tell, void *data)
{
    struct controller_event event = { .kind = CE_FILE };
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    struct stat st = { 0 };
    AUTO(fd) int fd = open_file(g, s->path, &st, &e);
    int r = fd;
    bool told;

    if (fd >= 0 && is_as_before(s, &st))
        return;
    if (fd >= 0 && (r = read_whole(fd, (size_t)st.st_size, &text, &event.file.n)) < 0)
        (void)err_errno(&e, r, "%.200s", s->path);
    told = r < 0 && s->error == r && !s->due;
    s->due = false;
    s->error = r < 0 ? r : 0;
    if (told)
        return;
    if (r >= 0) {
        s->changed = st.st_mtim;
        s->size = st.st_size;
        s->inode = st.st_ino;
    }
    event.file.path = s->path;
    event.file.text = text;
    event.file.problem = r < 0 ? e.text : NULL;
    tell(data, &event);
}

void grid_files_look(struct grid_files *g, const struct controller *core, grid_file_fn *tell,
                     void *data)
{
    ARRAY_FOREACH(s, g, seen)
        s->named = false;
    controller_files(core, note, g);
    forget_unnamed(g);
    ARRAY_FOREACH(s, g, seen)
        look_at(g, s, tell, data);
}

/* --- admission ---------------------------------------------------------------------------------
 */

static int admit(const struct string_list *folders, const char *what,
                 const struct energy_rate *rate, struct err *e)
{
    AUTO(mem) char *real = NULL;
    int r;

    if (rate->source != RATE_FILE)
        return 0;
    r = power_folders_resolve(folders, KEY, rate->path, &real, e);
    if (r == -ENOENT) {
        *e = (struct err)ERR_INIT;
        return 0;
    }
    return r < 0 ? err_prefix(e, r, "spec.%s.path", what) : 0;
}

int grid_files_admit(const struct string_list *folders, const struct power_policy *policy,
                     struct err *e)
{
    int r = admit(folders, "carbon", &policy->carbon, e);

    return r < 0 ? r : admit(folders, "price", &policy->price, e);
}
