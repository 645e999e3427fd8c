/* See zones.h. */
#include "controller/cli/zones.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"

#define FOLDER "/usr/share/zoneinfo"
#define BYTES_MOST (64u << 10) /* the longest of tzdata has 4 KiB */

/* A name with a dot in it could lead out of the folder. */
int zones_find(const char *name, struct zone **ret, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    AUTO(mem) char *bytes = NULL;
    struct err why = ERR_INIT;
    size_t n;

    if (zone_fixed(name, ret) == 0)
        return 0;
    strbuf_printf(&path, FOLDER "/%s", name);
    for (const char *c = name; *c; c++)
        if (*c == '.')
            return err_set(e, -ENOENT, "\"%.60s\" is no time zone", name);
    if (file_read(strbuf_text(&path), BYTES_MOST, &bytes, &n, &why) < 0 ||
        zone_parse(bytes, n, ret, &why) < 0)
        return err_set(e, -ENOENT, "time zone \"%.60s\" is not known here (%.200s)", name,
                       why.text);
    return 0;
}

int zones_read(const struct power_policy *policy, struct zones *ret, struct err *e)
{
    struct zones z = { .zones = xcalloc(policy->n_windows + 1, sizeof(struct zone *)) };

    for (; z.n_zones < policy->n_windows; z.n_zones++) {
        int r = zones_find(policy->windows[z.n_zones].zone, &z.zones[z.n_zones], e);

        if (r < 0) {
            r = err_prefix(e, r, "windows[%zu].zone", z.n_zones);
            zones_done(&z);
            return r;
        }
    }
    *ret = z;
    return 0;
}

void zones_done(struct zones *z)
{
    for (size_t i = 0; i < z->n_zones; i++)
        zone_free(z->zones[i]);
    free(z->zones);
    *z = (struct zones){ 0 };
}
