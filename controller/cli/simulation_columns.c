/* See simulation_columns.h. */
#include "controller/cli/simulation_columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controller/cli/look.h"
#include "proto/base/array.h"

static const struct simulation_column COLUMNS[] = {
    { "kwh", { "KWH", NULL }, 1, 1, "", NULL, false }, /* the page chooses a unit for it */
    { "saved", { "SAVED", "saved" }, 1, 100, "%", NULL, false },
    { "money", { "MONEY", "money" }, 2, 1, "", "priceKnown", false },
    { "kgCO2", { "KGCO2", "kgCO2" }, 1, 1, "", "carbonKnown", false },
    { "unserved", { "UNSERVED", "unserved" }, 3, 100, "%", NULL, false },
    { "late", { "LATE", "late" }, 3, 100, "%", NULL, false },
    { "meanAwake", { "AWAKE", "awake" }, 1, 1, "", NULL, false },
    { "moves", { "MOVES", "moves" }, 0, 1, "", NULL, false },
    { "sleeps", { "SLEEPS", "sleeps" }, 0, 1, "", NULL, false },
    { "wakes", { "WAKES", "wakes" }, 0, 1, "", NULL, false },
    { "failedBoots", { NULL, "failed boots" }, 0, 1, "", NULL, true },
};

static bool tells(const struct simulation_column *c, const json_t *variant)
{
    const json_t *policies = json_object_get(variant, "policies");

    for (size_t i = 0; i < json_array_size(policies); i++) {
        double v = look_number(json_array_get(policies, i), c->key);

        if (isfinite(v) && (v > 0 || !c->seldom))
            return true;
    }
    return false;
}

struct simulation_columns simulation_columns(enum simulation_medium medium, const json_t *variant)
{
    struct simulation_columns shown = { .n = 0 };

    _Static_assert(ARRAY_LEN(COLUMNS) <= SIMULATION_COLUMNS_MAX, "room for all");
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++)
        if (COLUMNS[i].title[medium] && (medium == SIMULATION_TABLE || tells(&COLUMNS[i], variant)))
            shown.column[shown.n++] = &COLUMNS[i];
    return shown;
}

const char *simulation_title(const struct simulation_column *c, enum simulation_medium medium,
                             const json_t *variant)
{
    const char *currency = look_text(variant, "currency");

    return currency && strcmp(c->key, "money") == 0 ? currency : c->title[medium];
}

const char *simulation_figure(const struct simulation_column *c, const json_t *row,
                              char text[SIMULATION_FIGURE_MAX])
{
    double v = c->factor * look_number(row, c->key);

    if (isfinite(v))
        (void)snprintf(text, SIMULATION_FIGURE_MAX, "%.*f%s", c->decimals, v, c->unit);
    else
        (void)snprintf(text, SIMULATION_FIGURE_MAX, "-");
    return text;
}

void simulation_notes(struct strbuf *out, const json_t *variant, const char *before,
                      const char *after)
{
    for (size_t i = 0; i < ARRAY_LEN(COLUMNS); i++) {
        const struct simulation_column *c = &COLUMNS[i];
        double share = c->known ? look_number(variant, c->known) : NAN;

        if (isfinite(share) && share < 1)
            strbuf_printf(out, "%s%s is of %.1f%% of the time: its file says nothing of the rest%s",
                          before, c->key, floor(1000 * share) / 10, after);
    }
}
