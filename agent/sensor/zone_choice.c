/* Which energy zones make up the node's total: see zone_choice.h. */
#include "agent/sensor/zone_choice.h"

#include <string.h>

#define MMIO_SUFFIX "-mmio"

/* "word", or "word-" and more. */
static bool is_word(const char *name, const char *word)
{
    size_t n = strlen(word);

    return strncmp(name, word, n) == 0 && (name[n] == '\0' || name[n] == '-');
}

enum zone_kind zone_kind_of(const char *name)
{
    static const struct {
        const char *word;
        enum zone_kind kind;
    } kinds[] = {
        { "package", ZONE_PACKAGE }, { "psys", ZONE_PSYS },     { "dram", ZONE_DRAM },
        { "core", ZONE_CORE },       { "uncore", ZONE_UNCORE },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (is_word(name, kinds[i].word))
            return kinds[i].kind;
    }
    return ZONE_UNSPECIFIED;
}

static bool is_mmio(const struct zone_fact *z)
{
    size_t n = strlen(z->control), m = strlen(MMIO_SUFFIX);

    return n >= m && strcmp(z->control + n - m, MMIO_SUFFIX) == 0;
}

/* An mmio zone whose register twin can be read. */
static bool has_twin(const struct zone_fact *zones, size_t n, const struct zone_fact *z)
{
    for (size_t i = 0; i < n; i++) {
        const struct zone_fact *o = &zones[i];
        if (o != z && o->usable && !is_mmio(o) && o->kind == z->kind &&
            strcmp(o->name, z->name) == 0 && strcmp(o->parent_name, z->parent_name) == 0)
            return true;
    }
    return false;
}

static bool psys_works(const struct zone_fact *zones, size_t n)
{
    bool psys = false, psys_moved = false, package_moved = false;

    for (size_t i = 0; i < n; i++) {
        if (!zones[i].usable)
            continue;
        if (zones[i].kind == ZONE_PSYS) {
            psys = true;
            psys_moved |= zones[i].raw_uj > 0;
        }
        package_moved |= zones[i].kind == ZONE_PACKAGE && zones[i].raw_uj > 0;
    }
    return psys && (psys_moved || !package_moved);
}

void zone_choice(struct zone_fact *zones, size_t n)
{
    bool psys = psys_works(zones, n);

    for (size_t i = 0; i < n; i++) {
        struct zone_fact *z = &zones[i];
        bool whole = psys ? z->kind == ZONE_PSYS : z->kind == ZONE_PACKAGE || z->kind == ZONE_DRAM;
        z->counted = z->usable && whole && !z->mirror && !(is_mmio(z) && has_twin(zones, n, z));
    }
}
