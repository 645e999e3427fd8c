/* The watt cap through libpowercap: see power_cap.h. As in sensor/rapl.c the files are found and
 * opened here, for libpowercap's own discovery misses zones, and its reads take text that is no
 * number for 0. */
#include "agent/power_cap.h"

#include <errno.h>
#include <inttypes.h>
#include <powercap/powercap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sensor/powercap_tree.h"
#include "agent/sensor/text_file.h"
#include "agent/sensor/zone_choice.h"
#include "proto/base/array.h"

#define CONTROL                                                                      \
    "intel-rapl" /* its mmio twin has limits of its own: the lower of the two counts \
                  */
#define CONSTRAINT "long_term"
#define STEP_UW 1000000u /* the hardware rounds to its own unit, 1/8 W on most */

struct package {
    char path[64];
    powercap_constraint limit; /* power_limit_uw is 0 while it is not open */
    powercap_zone zone;        /* enabled, in the same way */
    uint64_t max_uw;           /* 0: unknown */
};

struct power_cap {
    struct package *packages;
    size_t n_packages, cap_packages;
    struct err missing; /* why there is none, or not all */
};

/* --- finding ------------------------------------------------------------------------------------
 */

static int open_file(const struct powercap_node *n, const char *name, int *ret_fd, struct err *e)
{
    char path[512];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", n->folder, name);
    fd = text_file_open_rw(path);
    if (fd < 0)
        return err_errno(e, fd, "%s: to write it", path);
    *ret_fd = fd;
    return 0;
}

/* The number of the constraint by its name, or -1. */
static int find_constraint(const struct powercap_node *n)
{
    char path[512], name[32];

    for (int c = 0; c < (int)POWERCAP_CONSTRAINTS_MAX; c++) {
        (void)snprintf(path, sizeof(path), "%s/constraint_%d_name", n->folder, c);
        if (text_file_line(path, name, sizeof(name)) > 0 && strcmp(name, CONSTRAINT) == 0)
            return c;
    }
    return -1;
}

static void package_close(struct package *p)
{
    if (p->limit.power_limit_uw > 0)
        (void)close(p->limit.power_limit_uw);
    if (p->zone.enabled > 0)
        (void)close(p->zone.enabled);
    memset(p, 0, sizeof(*p));
}

static int package_open(const struct powercap_node *n, struct package *ret_package, struct err *e)
{
    struct package p = { .max_uw = 0 };
    int c = find_constraint(n), r;
    char name[64];

    if (c < 0)
        return err_set(e, -ENOENT, "%s: it has no constraint " CONSTRAINT, n->folder);
    memset(&p, 0, sizeof(p));
    (void)snprintf(p.path, sizeof(p.path), "%.63s", n->path);
    (void)snprintf(name, sizeof(name), "constraint_%d_power_limit_uw", c);
    r = open_file(n, name, &p.limit.power_limit_uw, e);
    if (r == 0)
        r = open_file(n, "enabled", &p.zone.enabled, e);
    if (r < 0) {
        package_close(&p);
        return r;
    }
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/constraint_%d_max_power_uw", n->folder, c);
    if (text_file_u64(path, &p.max_uw) < 0)
        p.max_uw = 0;
    *ret_package = p;
    return 0;
}

struct power_cap *power_cap_new(void)
{
    struct power_cap *c = xcalloc(1, sizeof(*c));
    struct powercap_tree tree = { 0 };

    if (powercap_tree_walk(POWERCAP_ROOT, &tree, &c->missing) < 0)
        return c;
    ARRAY_FOREACH(n, &tree, nodes) {
        struct package p;
        if (n->depth != 1 || strcmp(n->control, CONTROL) != 0 ||
            zone_kind_of(n->name) != ZONE_PACKAGE || c->n_packages == POWER_CAP_PACKAGES_MAX)
            continue;
        if (package_open(n, &p, &c->missing) == 0)
            *ARRAY_ADD(c, packages) = p;
    }
    powercap_tree_done(&tree);
    if (c->n_packages == 0 && !c->missing.text[0])
        (void)err_set(&c->missing, 0, "there is no package zone below " POWERCAP_ROOT);
    return c;
}

void power_cap_free(struct power_cap *c)
{
    if (!c)
        return;
    ARRAY_FOREACH(p, c, packages)
        package_close(p);
    free(c->packages);
    free(c);
}

/* A cap on some packages only would just move the load to the others. */
static int check_able(const struct power_cap *c, struct err *e)
{
    if (c->missing.text[0])
        return err_set(e, -ENOTSUP, "this node cannot cap its power: %s", c->missing.text);
    return 0;
}

/* --- reading and writing ------------------------------------------------------------------------
 */

static int check_number(int fd)
{
    char text[64];
    uint64_t value;
    int r = text_file_pread(fd, text, sizeof(text));

    return r < 0 ? r : text_u64(text, &value);
}

static int get_limit(const struct package *p, uint64_t *ret_uw, struct err *e)
{
    int r = check_number(p->limit.power_limit_uw);

    if (r == 0 && powercap_constraint_get_power_limit_uw(&p->limit, ret_uw) < 0)
        r = errno ? -errno : -EIO;
    return r < 0 ? err_errno(e, r, "%s: power limit", p->path) : 0;
}

static int get_enabled(const struct package *p, bool *ret_enabled, struct err *e)
{
    int r = check_number(p->zone.enabled), enabled = 0;

    if (r == 0 && powercap_zone_get_enabled(&p->zone, &enabled) < 0)
        r = errno ? -errno : -EIO;
    if (r < 0)
        return err_errno(e, r, "%s: enabled", p->path);
    *ret_enabled = enabled != 0;
    return 0;
}

/* Writes what is not so yet, and reads it back. */
static int set_limit(const struct package *p, uint64_t uw, uint64_t *ret_now_uw, struct err *e)
{
    uint64_t now_uw = 0;
    int r = get_limit(p, &now_uw, e);

    if (r < 0)
        return r;
    if (now_uw != uw) {
        if (powercap_constraint_set_power_limit_uw(&p->limit, uw) < 0)
            return err_errno(e, errno ? -errno : -EIO,
                             "%s: power limit: writing (is it locked by the firmware?)", p->path);
        r = get_limit(p, &now_uw, e);
        if (r < 0)
            return r;
    }
    if (now_uw > uw + STEP_UW || uw > now_uw + STEP_UW)
        return err_set(e, -EIO, "%s: power limit: wrote %" PRIu64 " uW, read back %" PRIu64,
                       p->path, uw, now_uw);
    *ret_now_uw = now_uw;
    return 0;
}

static int set_enabled(const struct package *p, bool enabled, struct err *e)
{
    bool now = false;
    int r = get_enabled(p, &now, e);

    if (r < 0 || now == enabled)
        return r;
    if (powercap_zone_set_enabled(&p->zone, enabled) < 0)
        return err_errno(e, errno ? -errno : -EIO, "%s: enabled: writing", p->path);
    r = get_enabled(p, &now, e);
    if (r == 0 && now != enabled)
        r = err_set(e, -EIO, "%s: enabled: wrote %d, read back %d", p->path, enabled, now);
    return r;
}

/* --- the cap ------------------------------------------------------------------------------------
 */

int power_cap_read(struct power_cap *c, struct power_cap_originals *ret_originals, struct err *e)
{
    struct power_cap_originals o = { .n = 0 };
    int r = check_able(c, e);

    if (r < 0)
        return r;
    ARRAY_FOREACH(p, c, packages) {
        struct power_cap_original *original = &o.package[o.n++];
        memcpy(original->path, p->path, sizeof(original->path));
        r = get_limit(p, &original->limit_uw, e);
        if (r == 0)
            r = get_enabled(p, &original->enabled, e);
        if (r < 0)
            return r;
    }
    *ret_originals = o;
    return 0;
}

static const struct power_cap_original *original_of(const struct power_cap_originals *o,
                                                    const struct package *p)
{
    for (size_t i = 0; i < o->n; i++) {
        if (strcmp(o->package[i].path, p->path) == 0)
            return &o->package[i];
    }
    return NULL;
}

static int plan(const struct power_cap *c, const struct power_cap_originals *originals,
                uint64_t cap_uw, struct power_cap_package *packages, struct err *e)
{
    for (size_t i = 0; i < c->n_packages; i++) {
        const struct power_cap_original *o = original_of(originals, &c->packages[i]);
        if (!o)
            return err_set(e, -EINVAL, "%s: its original limit is not stored", c->packages[i].path);
        packages[i].original_uw = o->limit_uw;
        packages[i].max_uw = c->packages[i].max_uw ? c->packages[i].max_uw : o->limit_uw;
    }
    (void)power_cap_plan(cap_uw, packages, c->n_packages);
    return 0;
}

static int apply(const struct power_cap *c, const struct power_cap_package *packages,
                 uint64_t *ret_in_force_uw, struct err *e)
{
    uint64_t now_uw = 0, sum_uw = 0;

    for (size_t i = 0; i < c->n_packages; i++) {
        int r = set_limit(&c->packages[i], packages[i].limit_uw, &now_uw, e);
        if (r == 0)
            r = set_enabled(&c->packages[i], true, e);
        if (r < 0)
            return r;
        sum_uw += now_uw;
    }
    *ret_in_force_uw = sum_uw;
    return 0;
}

int power_cap_set(struct power_cap *c, const struct power_cap_originals *originals, uint64_t cap_uw,
                  uint64_t *ret_in_force_uw, struct err *e)
{
    struct power_cap_package packages[POWER_CAP_PACKAGES_MAX] = { { 0 } };
    struct err again = ERR_INIT;
    int r = check_able(c, e);

    if (r == 0 && cap_uw == 0) {
        r = power_cap_restore(c, originals, e);
        if (r == 0)
            *ret_in_force_uw = 0;
        return r;
    }
    if (r == 0)
        r = plan(c, originals, cap_uw, packages, e);
    if (r < 0)
        return r;
    r = apply(c, packages, ret_in_force_uw, e);
    if (r < 0 && power_cap_restore(c, originals, &again) < 0)
        return err_prefix(e, r, "nor could the original be given back (%.160s)", again.text);
    return r;
}

int power_cap_restore(struct power_cap *c, const struct power_cap_originals *originals,
                      struct err *e)
{
    uint64_t now_uw;
    int first = 0;

    ARRAY_FOREACH(p, c, packages) {
        const struct power_cap_original *o = original_of(originals, p);
        struct err mine = ERR_INIT;
        int r = o ? set_limit(p, o->limit_uw, &now_uw, &mine) : 0;
        if (o && r == 0)
            r = set_enabled(p, o->enabled, &mine);
        if (r < 0 && first == 0)
            first = err_set(e, r, "%s", mine.text);
    }
    return first;
}
