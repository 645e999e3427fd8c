/* UUIDs in their byte orders: see machine_uuid.h. */
#include "controller/state/machine_uuid.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define UUID_BYTES 16
#define UUID_DIGITS 32u

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse(const char *text, uint8_t ret[UUID_BYTES])
{
    size_t n = 0;

    for (; *text && n < UUID_DIGITS; text++) {
        int value = digit(*text);

        if (*text == '-')
            continue;
        if (value < 0)
            return false;
        ret[n / 2] = (uint8_t)(n % 2 ? ret[n / 2] | value : value << 4);
        n++;
    }
    return n == UUID_DIGITS && !*text;
}

static void turn(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t kept = bytes[i];

        bytes[i] = bytes[n - 1 - i];
        bytes[n - 1 - i] = kept;
    }
}

static void turn_fields(uint8_t bytes[UUID_BYTES])
{
    turn(bytes, 4);
    turn(bytes + 4, 2);
    turn(bytes + 6, 2);
}

bool machine_uuid_differs(const char *a, const char *b)
{
    uint8_t x[UUID_BYTES] = { 0 }, y[UUID_BYTES] = { 0 };

    if (!a || !b || !parse(a, x) || !parse(b, y))
        return false;
    for (int i = 0; i < 2; i++) {
        if (memcmp(x, y, UUID_BYTES) == 0)
            return false;
        turn_fields(y);
        if (memcmp(x, y, UUID_BYTES) == 0)
            return false;
        turn_fields(y);
        turn(y, UUID_BYTES); /* all round, in the second pass */
    }
    return true;
}
