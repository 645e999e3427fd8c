/* RAPL energy counters through libpowercap: see rapl.h. What libpowercap really does: it reads
 * descriptor 0 for a file that was never opened, and reads text that is no number as 0. So we open,
 * on descriptors above 2, ask it only for what is open, and check the text first. */
#include "agent/sensor/rapl.h"

#include <errno.h>
#include <powercap/powercap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sensor/powercap_tree.h"
#include "agent/sensor/text_file.h"
#include "agent/sensor/zone_choice.h"
#include "proto/base/array.h"

#define REOPEN_EVERY 10u /* reads between two attempts to open what vanished */
#define MIRROR_WINDOW_UJ 5000000u
#define UNDERSTOOD_POWER_MAX_UW 10000000000ull /* a limit above 10 kW means "none" */

struct rapl_zone {
    struct powercap_node node;
    powercap_zone files;     /* energy_uj is 0 while it is not open */
    struct sample_zone zone; /* what does not change: name, path, kind, counted, limits */
    int open_error;
    bool meterless; /* a zone that only caps power: not shown */
};

struct rapl {
    struct rapl_zone *zones;
    size_t n_zones, cap_zones;
    uint32_t reads;
    struct err walk_error;
};

/* Watts that a zone of this kind cannot exceed, where the platform names no limit. */
static uint64_t default_power_uw(enum zone_kind kind)
{
    switch (kind) {
    case ZONE_PSYS:
        return 4000000000u;
    case ZONE_DRAM:
        return 400000000u;
    default:
        return 1000000000u;
    }
}

/* The plausibility limit: the zone's own range, or twice its largest constraint (a constraint is an
 * average over seconds), and never below the default of its kind. */
static uint64_t max_power_uw(const struct powercap_node *n, enum zone_kind kind)
{
    static const char *const files[] = { "max_power_uw", "power_limit_uw" };
    uint64_t most = default_power_uw(kind), value;
    char path[320];

    (void)snprintf(path, sizeof(path), "%s/max_power_range_uw", n->folder);
    if (text_file_u64(path, &value) == 0 && value > most && value < UNDERSTOOD_POWER_MAX_UW)
        most = value;
    for (unsigned c = 0; c < POWERCAP_CONSTRAINTS_MAX; c++) {
        for (size_t f = 0; f < ARRAY_LEN(files); f++) {
            (void)snprintf(path, sizeof(path), "%s/constraint_%u_%s", n->folder, c, files[f]);
            if (text_file_u64(path, &value) == 0 && value < UNDERSTOOD_POWER_MAX_UW &&
                2 * value > most)
                most = 2 * value;
        }
    }
    return most;
}

static void zone_close(struct rapl_zone *z)
{
    if (z->files.energy_uj > 0)
        (void)close(z->files.energy_uj);
    memset(&z->files, 0, sizeof(z->files));
}

/* Opens energy_uj and hands it to libpowercap's struct. Its own open is of no use to us: it writes
 * zone numbers in hexadecimal (0.6.0 looks for zone 10 in "intel-rapl:a"), blocks on a FIFO, and
 * leaves the descriptor open across exec. 0 or -errno. */
static int zone_open(struct rapl_zone *z)
{
    char path[320];

    (void)snprintf(path, sizeof(path), "%s/energy_uj", z->node.folder);
    int fd = text_file_open(path);
    if (fd < 0)
        return fd;
    memset(&z->files, 0, sizeof(z->files));
    z->files.energy_uj = fd;
    return 0;
}

/* One reading: strictly a number, within the range. 0, or -errno with the reason in `why`. */
static int zone_read_uj(const struct rapl_zone *z, uint64_t *ret_uj, char *why, size_t size)
{
    char text[64];
    uint64_t value;
    int r = text_file_glance(z->files.energy_uj, text, sizeof(text));

    if (r < 0 && r != -EFBIG) {
        (void)snprintf(why, size, "energy_uj: %s", strerror(-r));
        return r;
    }
    if (r == -EFBIG || text_u64(text, &value) < 0) {
        (void)snprintf(why, size, "energy_uj holds no number");
        return -EINVAL;
    }
    if (powercap_zone_get_energy_uj(&z->files, &value) < 0) {
        r = errno ? -errno : -EIO;
        (void)snprintf(why, size, "energy_uj: %s", strerror(-r));
        return r;
    }
    if (z->zone.range_uj > 0 && value > z->zone.range_uj) {
        (void)snprintf(why, size, "energy_uj is above max_energy_range_uj");
        return -ERANGE;
    }
    *ret_uj = value;
    return 0;
}

static void zone_identify(struct rapl_zone *z)
{
    char path[320];

    (void)snprintf(z->zone.name, sizeof(z->zone.name), "%s", z->node.name);
    (void)snprintf(z->zone.path, sizeof(z->zone.path), "%s", z->node.path);
    z->zone.kind = zone_kind_of(z->node.name);
    z->zone.provenance = PROVENANCE_MEASURED;
    z->zone.max_power_uw = max_power_uw(&z->node, z->zone.kind);
    (void)snprintf(path, sizeof(path), "%s/max_energy_range_uj", z->node.folder);
    if (text_file_u64(path, &z->zone.range_uj) < 0)
        z->zone.range_uj = 0;
}

/* May both be names of one counter? Dies of one package ("package-0-die-1"), or psys and psys-1. */
static bool same_thing(const struct rapl_zone *a, const struct rapl_zone *b)
{
    const char *die = strstr(a->node.name, "-die-");
    size_t n = die ? (size_t)(die - a->node.name) + strlen("-die-") : 0;

    if (a->zone.kind != b->zone.kind || a->zone.range_uj != b->zone.range_uj)
        return false;
    return a->zone.kind == ZONE_PSYS || (die && strncmp(a->node.name, b->node.name, n) == 0);
}

/* Two names for one counter: b, read between two readings of a, stands between them. */
static bool is_mirror(const struct rapl_zone *a, const struct rapl_zone *b)
{
    uint64_t before, between, after;
    char why[64];

    if (!same_thing(a, b) || a->files.energy_uj == 0 || b->files.energy_uj == 0)
        return false;
    if (zone_read_uj(a, &before, why, sizeof(why)) < 0 ||
        zone_read_uj(b, &between, why, sizeof(why)) < 0 ||
        zone_read_uj(a, &after, why, sizeof(why)) < 0)
        return false;
    return before > 0 && before <= between && between <= after && after - before < MIRROR_WINDOW_UJ;
}

static bool mirrors_earlier(const struct rapl *r, size_t i)
{
    const struct rapl_zone *z = &r->zones[i];

    for (size_t j = 0; j < i; j++) {
        const struct rapl_zone *o = &r->zones[j];
        if (strcmp(o->node.control, z->node.control) == 0 && o->node.depth == z->node.depth &&
            is_mirror(o, z))
            return true;
    }
    return false;
}

static void choose(struct rapl *r)
{
    AUTO(mem) struct zone_fact *facts = xcalloc(r->n_zones, sizeof(*facts));

    for (size_t i = 0; i < r->n_zones; i++) {
        const struct rapl_zone *z = &r->zones[i];
        char why[64];

        facts[i] = (struct zone_fact){
            .kind = z->zone.kind,
            .name = z->node.name,
            .control = z->node.control,
            .parent_name = z->node.parent == SIZE_MAX ? "" : r->zones[z->node.parent].node.name,
            .mirror = mirrors_earlier(r, i),
        };
        facts[i].usable =
            z->files.energy_uj > 0 && zone_read_uj(z, &facts[i].raw_uj, why, sizeof(why)) == 0;
    }
    zone_choice(facts, r->n_zones);
    for (size_t i = 0; i < r->n_zones; i++)
        r->zones[i].zone.counted = facts[i].counted;
}

struct rapl *rapl_new(void)
{
    struct rapl *r = xcalloc(1, sizeof(*r));
    struct powercap_tree tree = { 0 };
    int result = powercap_tree_walk(POWERCAP_ROOT, &tree, &r->walk_error);

    if (result == -ENOENT)
        r->walk_error.text[0] = '\0'; /* no such machinery on this machine: no problem either */
    ARRAY_FOREACH(node, &tree, nodes) {
        struct rapl_zone *z = ARRAY_ADD(r, zones);
        z->node = *node;
        zone_identify(z);
        z->open_error = zone_open(z);
        z->meterless = z->open_error == -ENOENT && z->zone.kind == ZONE_UNSPECIFIED;
    }
    powercap_tree_done(&tree);
    choose(r);
    return r;
}

void rapl_free(struct rapl *r)
{
    if (!r)
        return;
    ARRAY_FOREACH(z, r, zones)
        zone_close(z);
    free(r->zones);
    free(r);
}

static void denied(struct sample *out)
{
    sample_problem(
        out,
        "energy counters below /sys/class/powercap may only be opened by root "
        "(CVE-2020-8694)",
        "run as root, or with CAP_DAC_READ_SEARCH (--once and --record drop both once the "
        "counters are open), or put `z /sys/class/powercap/*/energy_uj 0440 root huddle` into "
        "/etc/tmpfiles.d/huddle.conf and run systemd-tmpfiles --create");
}

static void read_zone(struct rapl *r, struct rapl_zone *z, struct sample *out)
{
    struct sample_zone *s = ARRAY_ADD(out, zones);
    char what[200];
    int result;

    if (z->files.energy_uj == 0 && z->open_error != 0 && r->reads % REOPEN_EVERY == 0)
        z->open_error = zone_open(z);
    *s = z->zone;
    if (z->files.energy_uj == 0) {
        (void)snprintf(s->error, sizeof(s->error), "energy_uj: %s", strerror(-z->open_error));
        if (z->open_error == -EACCES || z->open_error == -EPERM) {
            denied(out);
            return;
        }
    } else {
        result = zone_read_uj(z, &s->raw_uj, s->error, sizeof(s->error));
        s->valid = result == 0;
        if (s->valid)
            return;
        if (result == -ENODEV || result == -ENXIO || result == -ENOENT) {
            zone_close(z);
            z->open_error = result;
        }
    }
    (void)snprintf(what, sizeof(what), "zone %.30s (%.60s): %.90s", s->name, s->path, s->error);
    sample_problem(out, what, "it is left out; look at the kernel log for its powercap driver");
}

void rapl_read(struct rapl *r, struct sample *out)
{
    r->reads++;
    if (r->walk_error.text[0])
        sample_problem(out, r->walk_error.text, "let the agent read /sys/class/powercap");
    ARRAY_FOREACH(z, r, zones) {
        if (!z->meterless)
            read_zone(r, z, out);
    }
}
