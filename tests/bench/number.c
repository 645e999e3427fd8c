/* See number.h. */
#include "tests/bench/number.h"

bool number_read(const char **text, uint64_t *ret)
{
    const char *at = *text;
    uint64_t value = 0;

    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return false;
    if (at == *text)
        return false;
    *text = at;
    *ret = value;
    return true;
}

bool number_whole(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    uint64_t value;

    if (!number_read(&text, &value) || *text || value < least || value > most)
        return false;
    *ret = value;
    return true;
}
