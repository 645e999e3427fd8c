/* TZif files, and names of fixed offsets: refused with a reason, or a zone that has an offset of
 * about a day at most at any time. */
#include "proto/base/zone.h"
#include "tests/fuzz/fuzz.h"

#define HOUR_S 3600

static void ask(const struct zone *z)
{
    static const int64_t times[] = { -1, 0, 1, 1790000000000, INT64_C(253402300799000) };

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        int32_t offset = zone_offset_s(z, times[i]);

        MUST(offset > -25 * HOUR_S && offset < 27 * HOUR_S); /* a rule's summer: an hour more */
    }
    for (int64_t at = 1700000000000; at < 1830000000000; at += 3 * 3600000 + 1)
        (void)zone_offset_s(z, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(zone) struct zone *z = NULL, *fixed = NULL;
    struct err e = ERR_INIT;
    char *name = fuzz_text(data, size);

    if (zone_parse(data, size, &z, &e) == 0)
        ask(z);
    else
        MUST(e.text[0] && !z);
    if (zone_fixed(name, &fixed) == 0)
        ask(fixed);
    free(name);
    return 0;
}
