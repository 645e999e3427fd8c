/* The watt cap with its memory: see cap_keeper.h. */
#include "agent/cap_keeper.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/power_cap.h"
#include "agent/state_files.h"
#include "proto/base/array.h"

#define FILE_NAME "power-cap.json"

struct cap_keeper {
    int dir_fd;
    struct power_cap *cap;
    struct power_cap_originals originals;
};

/* --- the file --------------------------------------------------------------------------------- */

static int store(struct cap_keeper *k, struct err *e)
{
    json_t *list = json_array();
    char *text;
    int r;

    for (size_t i = 0; i < k->originals.n; i++) {
        const struct power_cap_original *o = &k->originals.package[i];

        json_array_append_new(list, json_pack("{s:s, s:I, s:b}", "path", o->path, "limitUw",
                                              (json_int_t)o->limit_uw, "enabled", o->enabled));
    }
    text = json_dumps(list, JSON_INDENT(1));
    json_decref(list);
    if (!text)
        return err_set(e, -ENOMEM, FILE_NAME);
    r = state_file_write(k->dir_fd, FILE_NAME, text, strlen(text), e);
    free(text);
    return r;
}

static void add_original(struct power_cap_originals *all, const json_t *value)
{
    struct power_cap_original *o = &all->package[all->n];
    const char *path;
    json_int_t limit_uw;
    int enabled;

    if (all->n == POWER_CAP_PACKAGES_MAX ||
        json_unpack((json_t *)value, "{s:s, s:I, s:b}", "path", &path, "limitUw", &limit_uw,
                    "enabled", &enabled) < 0 ||
        strlen(path) >= sizeof(o->path) || limit_uw < 0)
        return;
    (void)snprintf(o->path, sizeof(o->path), "%s", path);
    o->limit_uw = (uint64_t)limit_uw;
    o->enabled = enabled;
    all->n++;
}

static int recall(struct cap_keeper *k, struct err *e)
{
    AUTO(mem) char *text = NULL;
    size_t n, i;
    json_t *list, *value;
    int r = state_file_read(k->dir_fd, FILE_NAME, &text, &n, e);

    if (r < 0 || !text)
        return r;
    list = json_loadb(text, n, 0, NULL);
    json_array_foreach(list, i, value) {
        add_original(&k->originals, value);
    }
    json_decref(list);
    if (k->originals.n == 0) {
        state_file_set_aside(k->dir_fd, FILE_NAME);
        return err_set(e, -EINVAL, "%s cannot be read; it was set aside", FILE_NAME);
    }
    return 0;
}

/* --- the cap ---------------------------------------------------------------------------------- */

static int give_back(struct cap_keeper *k, struct err *e)
{
    int r;

    if (k->originals.n == 0)
        return 0;
    r = power_cap_restore(k->cap, &k->originals, e);
    if (r < 0)
        return r; /* kept on disk: tried again */
    k->originals.n = 0;
    (void)unlinkat(k->dir_fd, FILE_NAME, 0);
    return 0;
}

int cap_keeper_new(int dir_fd, struct cap_keeper **ret_keeper, struct err *e)
{
    struct cap_keeper *k = xcalloc(1, sizeof(*k));
    int r;

    k->dir_fd = dir_fd;
    k->cap = power_cap_new();
    *ret_keeper = k;
    r = recall(k, e);
    return r < 0 ? r : give_back(k, e);
}

void cap_keeper_free(struct cap_keeper *k)
{
    if (!k)
        return;
    power_cap_free(k->cap);
    free(k);
}

int cap_keeper_set(struct cap_keeper *k, uint64_t cap_uw, uint64_t *ret_in_force_uw, struct err *e)
{
    int r = 0;

    *ret_in_force_uw = 0;
    if (cap_uw == 0)
        return give_back(k, e);
    if (k->originals.n == 0) {
        r = power_cap_read(k->cap, &k->originals, e);
        if (r == 0)
            r = store(k, e);
        if (r < 0)
            k->originals.n = 0; /* nothing was changed */
    }
    return r < 0 ? r : power_cap_set(k->cap, &k->originals, cap_uw, ret_in_force_uw, e);
}
