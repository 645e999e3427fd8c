/* Where power drivers may come from: see folders.h. The path as written is judged before anything
 * is looked up, so that nobody learns through refusals which files there are elsewhere. */
#include "controller/power/folders.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "controller/power/bmc.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    while (n > 0 && folder[n - 1] == '/')
        n--;
    return strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1];
}

static bool climbs(const char *path)
{
    for (const char *at = path; (at = strstr(at, "/..")); at += 3)
        if (at[3] == '/' || !at[3])
            return true;
    return false;
}

static int outside(const struct string_list *folders, const char *key, const char *path,
                   const char *real, struct err *e)
{
    AUTO(strbuf) struct strbuf list = STRBUF_INIT;

    for (size_t i = 0; i < folders->n; i++)
        strbuf_printf(&list, "%s%s", i ? ", " : "", folders->item[i]);
    return err_set(e, -EPERM,
                   "%.200s%s%.200s is outside of the folders that the controller's configuration "
                   "allows (%s: %s)",
                   path, real ? " is really " : "", real ? real : "", key,
                   folders->n ? strbuf_text(&list) : "none");
}

int power_folders_resolve(const struct string_list *folders, const char *key, const char *path,
                          char **ret_real, struct err *e)
{
    AUTO(mem) char *real = NULL;
    bool below = false;

    if (path[0] != '/')
        return err_set(e, -EINVAL, "%.200s: an absolute path is needed", path);
    if (climbs(path))
        return err_set(e, -EINVAL, "%.200s: write the path without \"..\"", path);
    for (size_t i = 0; i < folders->n && !below; i++)
        below = is_below(path, folders->item[i]);
    if (!below)
        return outside(folders, key, path, NULL, e);
    real = realpath(path, NULL);
    if (!real)
        return err_errno(e, -errno, "%.200s", path);
    for (size_t i = 0; i < folders->n; i++) {
        AUTO(mem) char *folder = realpath(folders->item[i], NULL); /* itself a link, perhaps */

        if (folder && is_below(real, folder)) {
            *ret_real = TAKE(real);
            return 0;
        }
    }
    return outside(folders, key, path, real, e);
}

/* What is not there cannot lead out; it is judged when it is used. */
static int admit(const struct string_list *folders, const char *key, const char *path,
                 struct err *e)
{
    AUTO(mem) char *real = NULL;
    int r = power_folders_resolve(folders, key, path, &real, e);

    if (r != -ENOENT)
        return r;
    *e = (struct err)ERR_INIT;
    return 0;
}

int power_folders_admit(const struct power_folders *f, const struct power_pool *pool, struct err *e)
{
    const struct string_map *secrets = &pool->driver.secrets;
    int r = 0;

    if (strcmp(pool->driver.type, "none") == 0)
        return 0;
    if (strcmp(pool->driver.type, "exec") == 0) {
        r = admit(f->programs, "powerDrivers.programs", pool->driver.program, e);
        if (r < 0)
            return err_prefix(e, r, "spec.driver.program");
    }
    if (strcmp(pool->driver.type, "redfish") == 0 &&
        (r = bmc_admit(pool, "https://", f->hosts, e)) < 0)
        return r;
    for (size_t i = 0; i < secrets->n; i++) {
        r = admit(f->secrets, "powerDrivers.secrets", secrets->pair[i].value, e);
        if (r < 0)
            return err_prefix(e, r, "spec.driver.secrets.%.60s", secrets->pair[i].key);
    }
    return 0;
}
