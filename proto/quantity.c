/* Numbers with units: see quantity.h. One exact decimal reader serves all: a number is kept as an
 * integer and a power of ten, and multiplied by the unit's factor in 128 bits. */
#include "proto/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

#define DIGITS_MAX 19 /* those of INT64_MAX: whatever is printed can be read */

__extension__ typedef unsigned __int128 wide;

struct unit {
    const char *suffix;
    uint64_t factor; /* of the smallest unit that the result counts in */
    uint64_t divisor;
};

struct decimal { /* digits / 10^places */
    uint64_t digits;
    unsigned places;
};

static const uint64_t POW10[] = { 1,
                                  10,
                                  100,
                                  1000,
                                  10000,
                                  100000,
                                  1000000,
                                  10000000,
                                  100000000,
                                  1000000000,
                                  10000000000,
                                  100000000000,
                                  1000000000000,
                                  10000000000000,
                                  100000000000000,
                                  1000000000000000,
                                  10000000000000000,
                                  100000000000000000,
                                  1000000000000000000,
                                  10000000000000000000u };

/* Reads digits with an optional fraction; returns how many characters, 0 when there is no number or
 * it has more than DIGITS_MAX digits. */
static size_t read_decimal(const char *s, struct decimal *ret)
{
    struct decimal d = { 0, 0 };
    size_t i = 0, digits = 0;
    bool point = false;

    for (;; i++) {
        if (s[i] == '.' && !point) {
            point = true;
        } else if (isdigit((unsigned char)s[i])) {
            if (++digits > DIGITS_MAX)
                return 0;
            d.digits = d.digits * 10 + (uint64_t)(s[i] - '0');
            d.places += point;
        } else {
            break;
        }
    }
    *ret = d;
    return digits ? i : 0;
}

/* d * factor / divisor when that is a whole number that fits int64. */
static int scale(struct decimal d, const struct unit *u, int64_t *ret)
{
    wide value = (wide)d.digits * u->factor, by = (wide)POW10[d.places] * u->divisor;

    if (value % by || value / by > INT64_MAX)
        return -EINVAL;
    *ret = (int64_t)(value / by);
    return 0;
}

static const struct unit *find_unit(const struct unit *units, size_t n, const char *s, size_t len)
{
    for (size_t i = 0; i < n; i++) {
        if (strlen(units[i].suffix) == len && strncmp(units[i].suffix, s, len) == 0)
            return &units[i];
    }
    return NULL;
}

/* One number and one unit, to the end of the text. */
static int parse_unit(const char *text, const struct unit *units, size_t n_units,
                      const char *expected, int64_t *ret, struct err *e)
{
    struct decimal d;
    size_t n = read_decimal(text, &d);
    const struct unit *u = n ? find_unit(units, n_units, text + n, strlen(text + n)) : NULL;

    if (!u)
        return err_set(e, -EINVAL, "\"%.40s\" is not %s", text, expected);
    if (scale(d, u, ret) < 0)
        return err_set(e, -EINVAL, "\"%.40s\" is too large or too fine; expected %s", text,
                       expected);
    return 0;
}

/* --- as in Kubernetes (apimachinery, "Quantity"): DIGITS[.DIGITS] and one suffix ----------------
 */

struct suffix { /* stands for 2^shift * 10^exponent */
    unsigned shift;
    int exponent;
};

static bool read_exponent(const char *s, int *ret)
{
    bool minus = s[1] == '-';
    const char *digits = s + 1 + (s[1] == '-' || s[1] == '+');
    size_t n = strspn(digits, "0123456789");

    if ((*s != 'e' && *s != 'E') || n < 1 || n > 2 || digits[n])
        return false;
    *ret = (int)strtol(digits, NULL, 10) * (minus ? -1 : 1);
    return true;
}

static bool read_suffix(const char *s, struct suffix *ret)
{
    static const char DECIMAL[] = "num kMGTPE", BINARY[] = "KMGTPE"; /* each a thousand times */
    const char *d = s[0] && !s[1] && s[0] != ' ' ? strchr(DECIMAL, s[0]) : NULL;
    const char *b = s[0] && s[1] == 'i' && !s[2] ? strchr(BINARY, s[0]) : NULL;

    *ret = (struct suffix){ 0, 0 };
    if (d)
        ret->exponent = (int)(d - DECIMAL) * 3 - 9;
    else if (b)
        ret->shift = (unsigned)(b - BINARY + 1) * 10;
    else if (s[0])
        return read_exponent(s, &ret->exponent);
    return true;
}

/* In units of 10^-places, when that is a whole number that fits int64. */
static int quantity(const char *text, int places, const char *expected, int64_t *ret, struct err *e)
{
    struct decimal d;
    struct suffix suffix;
    const char *number = text + (*text == '+');
    size_t n = read_decimal(number, &d);
    int exponent;
    wide value;

    if (!n || !read_suffix(number + n, &suffix) || (suffix.shift && places > 0))
        return err_set(e, -EINVAL, "\"%.40s\" is not %s", text, expected);
    value = (wide)d.digits << suffix.shift; /* below 2^124 */
    exponent = suffix.exponent + places - (int)d.places;
    for (; exponent < 0 && value % 10 == 0 && value; exponent++)
        value /= 10;
    for (; exponent > 0 && value && value <= INT64_MAX; exponent--)
        value *= 10;
    if ((value && exponent != 0) || value > INT64_MAX)
        return err_set(e, -EINVAL, "\"%.40s\" is too large or too fine; expected %s", text,
                       expected);
    *ret = (int64_t)value;
    return 0;
}

int quantity_cpu(const char *text, int64_t *ret_milli, struct err *e)
{
    return quantity(text, 3, "a CPU quantity like 500m or 2", ret_milli, e);
}

int quantity_bytes(const char *text, int64_t *ret_bytes, struct err *e)
{
    return quantity(text, 0, "a number of bytes like 512Mi or 2Gi", ret_bytes, e);
}

int quantity_duration(const char *text, int64_t *ret_ms, struct err *e)
{
    static const struct unit UNITS[] = { { "ms", 1, 1 },
                                         { "s", 1000, 1 },
                                         { "m", 60000, 1 },
                                         { "h", 3600000, 1 },
                                         { "d", 86400000, 1 } };
    const char *s = text;
    int64_t total = 0, part;

    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return 0;
    }
    do {
        struct decimal d;
        size_t n = read_decimal(s, &d), len = strcspn(s + n, "0123456789.");
        const struct unit *u = n ? find_unit(UNITS, ARRAY_LEN(UNITS), s + n, len) : NULL;

        if (!u || scale(d, u, &part) < 0 || __builtin_add_overflow(total, part, &total))
            return err_set(e, -EINVAL, "\"%.40s\" is not a duration like 90s, 5m, 1h30m or 250ms",
                           text);
        s += n + len;
    } while (*s);
    *ret_ms = total;
    return 0;
}

int quantity_watts(const char *text, int64_t *ret_mw, struct err *e)
{
    static const struct unit UNITS[] = {
        { "W", 1000, 1 }, { "mW", 1, 1 }, { "kW", 1000000, 1 }, { "MW", 1000000000, 1 }
    };

    return parse_unit(text, UNITS, ARRAY_LEN(UNITS), "a power like 150W or 1.2kW", ret_mw, e);
}

int quantity_joules(const char *text, int64_t *ret_mj, struct err *e)
{
    static const struct unit UNITS[] = { { "J", 1000, 1 },     { "mJ", 1, 1 },
                                         { "kJ", 1000000, 1 }, { "MJ", 1000000000, 1 },
                                         { "Wh", 3600000, 1 }, { "kWh", 3600000000, 1 } };

    return parse_unit(text, UNITS, ARRAY_LEN(UNITS), "an energy like 3kJ or 0.1kWh", ret_mj, e);
}

int quantity_share(const char *text, double *ret_share, struct err *e)
{
    struct decimal d;
    size_t n = read_decimal(text, &d);
    bool percent = n && strcmp(text + n, "%") == 0;
    double value = n ? (double)d.digits / (double)POW10[d.places] / (percent ? 100 : 1) : 2;

    if (!n || (text[n] && !percent) || value > 1)
        return err_set(e, -EINVAL, "\"%.40s\" is not a share like 0.99 or 99%%", text);
    *ret_share = value;
    return 0;
}

int quantity_time_of_day(const char *text, int64_t *ret_ms, struct err *e)
{
    int64_t minutes;

    if (strlen(text) != 5 || !isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]) ||
        text[2] != ':' || !isdigit((unsigned char)text[3]) || !isdigit((unsigned char)text[4]) ||
        text[3] > '5')
        return err_set(e, -EINVAL, "\"%.40s\" is not a time of day like 08:30", text);
    minutes = (text[0] * 10 + text[1] - 11 * '0') * 60 + text[3] * 10 + text[4] - 11 * '0';
    if (minutes > 24L * 60)
        return err_set(e, -EINVAL, "\"%.40s\" is later than 24:00", text);
    *ret_ms = minutes * 60000;
    return 0;
}

/* The largest unit of which `value` is a whole multiple. */
static void format_unit(int64_t value, const struct unit *units, size_t n, char *text)
{
    for (size_t i = 0; i < n; i++) {
        int64_t factor = (int64_t)units[i].factor;

        if (i + 1 == n || (value && value % factor == 0)) {
            (void)snprintf(text, QUANTITY_TEXT_MAX, "%" PRId64 "%s", value / factor,
                           units[i].suffix);
            return;
        }
    }
}

void quantity_format_cpu(int64_t milli, char text[QUANTITY_TEXT_MAX])
{
    static const struct unit UNITS[] = { { "", 1000, 1 }, { "m", 1, 1 } };

    format_unit(milli, UNITS, milli ? ARRAY_LEN(UNITS) : 1, text);
}

void quantity_format_bytes(int64_t bytes, char text[QUANTITY_TEXT_MAX])
{
    static const struct unit UNITS[] = { { "Ti", 1ull << 40, 1 },
                                         { "Gi", 1ull << 30, 1 },
                                         { "Mi", 1ull << 20, 1 },
                                         { "Ki", 1ull << 10, 1 },
                                         { "", 1, 1 } };

    format_unit(bytes, UNITS, ARRAY_LEN(UNITS), text);
}

void quantity_format_duration(int64_t ms, char text[QUANTITY_TEXT_MAX])
{
    static const struct unit UNITS[] = { { "d", 86400000, 1 },
                                         { "h", 3600000, 1 },
                                         { "m", 60000, 1 },
                                         { "s", 1000, 1 },
                                         { "ms", 1, 1 } };

    if (ms == 0)
        (void)snprintf(text, QUANTITY_TEXT_MAX, "0s");
    else
        format_unit(ms, UNITS, ARRAY_LEN(UNITS), text);
}

void quantity_format_watts(int64_t mw, char text[QUANTITY_TEXT_MAX])
{
    static const struct unit UNITS[] = { { "W", 1000, 1 }, { "mW", 1, 1 } };

    format_unit(mw, UNITS, mw ? ARRAY_LEN(UNITS) : 1, text);
}

void quantity_format_joules(int64_t mj, char text[QUANTITY_TEXT_MAX])
{
    static const struct unit UNITS[] = { { "kJ", 1000000, 1 }, { "J", 1000, 1 }, { "mJ", 1, 1 } };

    if (mj == 0)
        (void)snprintf(text, QUANTITY_TEXT_MAX, "0J");
    else
        format_unit(mj, UNITS, ARRAY_LEN(UNITS), text);
}

void quantity_format_time_of_day(int64_t ms, char text[QUANTITY_TEXT_MAX])
{
    (void)snprintf(text, QUANTITY_TEXT_MAX, "%02d:%02d", (int)(ms / 3600000),
                   (int)(ms / 60000 % 60));
}
