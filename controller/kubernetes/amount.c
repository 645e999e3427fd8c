#include "controller/kubernetes/amount.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

/* In thousandths, so that what is written in them stays exact. -1: no such suffix. */
static double scale_of(const char *suffix)
{
    static const struct {
        const char *text;
        double scale;
    } SUFFIX[] = {
        { "", 1e3 },
        { "m", 1 },
        { "k", 1e6 },
        { "M", 1e9 },
        { "G", 1e12 },
        { "T", 1e15 },
        { "P", 1e18 },
        { "E", 1e21 },
        { "u", 1e-3 },
        { "n", 1e-6 },
        { "Ki", 1e3 * 0x1p10 },
        { "Mi", 1e3 * 0x1p20 },
        { "Gi", 1e3 * 0x1p30 },
        { "Ti", 1e3 * 0x1p40 },
        { "Pi", 1e3 * 0x1p50 },
        { "Ei", 1e3 * 0x1p60 },
    };

    for (size_t i = 0; i < ARRAY_LEN(SUFFIX); i++)
        if (!strcmp(suffix, SUFFIX[i].text))
            return SUFFIX[i].scale;
    return -1;
}

int amount_parse(const char *text, int64_t *ret_milli)
{
    size_t digits = strspn(text, "+-0123456789.");
    char *end;
    double value, scale, milli;

    if (digits == 0 || strspn(text, "+-.") == strlen(text) || text[digits] == 'x' ||
        text[digits] == 'X')
        return -EINVAL;
    value = strtod(text, &end); /* takes an exponent too: "1e3", but also "1E" as 1 and "E" */
    scale = scale_of(end);
    if (scale < 0 || !isfinite(value) || (*end && end > text + digits)) /* "1e3Ki" */
        return -EINVAL;
    milli = value * scale;
    if (milli != floor(milli)) /* 16.1 is a little more than 16.1 in binary */
        milli = ceil(milli - fabs(milli) * 4e-16);
    *ret_milli = milli >= 0x1p63 ? INT64_MAX : milli <= -0x1p63 ? INT64_MIN : (int64_t)milli;
    return 0;
}

static struct amount *find(const struct amounts *a, const char *name)
{
    ARRAY_FOREACH(i, a, item)
        if (!strcmp(i->name, name))
            return i;
    return NULL;
}

int64_t amounts_get(const struct amounts *a, const char *name)
{
    const struct amount *i = find(a, name);

    return i ? i->milli : 0;
}

void amounts_set(struct amounts *a, const char *name, int64_t milli)
{
    struct amount *i = find(a, name);

    if (!i) {
        i = ARRAY_ADD(a, item);
        i->name = xstrdup(name);
    }
    i->milli = milli;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;

    return !__builtin_add_overflow(a, b, &sum) ? sum : a > 0 ? INT64_MAX : INT64_MIN;
}

void amounts_add(struct amounts *a, const struct amounts *b)
{
    ARRAY_FOREACH(i, b, item)
        amounts_set(a, i->name, plus(amounts_get(a, i->name), i->milli));
}

void amounts_raise(struct amounts *a, const struct amounts *b)
{
    ARRAY_FOREACH(i, b, item)
        if (i->milli > amounts_get(a, i->name))
            amounts_set(a, i->name, i->milli);
}

void amounts_done(struct amounts *a)
{
    ARRAY_FOREACH(i, a, item)
        free(i->name);
    free(a->item);
    *a = (struct amounts){ 0 };
}

static int64_t times_thousand(int64_t whole)
{
    int64_t milli;

    return !__builtin_mul_overflow(whole, 1000, &milli) ? milli : whole > 0 ? INT64_MAX : INT64_MIN;
}

void amounts_read(struct amounts *a, const json_t *object)
{
    const char *name;
    json_t *value;
    int64_t milli;

    /* jansson's iteration does not write through its argument. */
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
        if (json_is_string(value) && !amount_parse(json_string_value(value), &milli))
            amounts_set(a, name, milli);
        else if (json_is_integer(value))
            amounts_set(a, name, times_thousand((int64_t)json_integer_value(value)));
}
