/* CSV files of carbon intensity and prices: refused with file, line and column, or a series whose
 * values are within bounds and whose look-ups end. */
#include <math.h>

#include "controller/energy/intensity.h"
#include "tests/fuzz/fuzz.h"

static void ask(const struct intensity *i, double least)
{
    int64_t until_ms = INT64_MIN;

    for (int steps = 0; steps < 1000 && until_ms < INT64_MAX; steps++) {
        int64_t at_ms = until_ms;
        double v = intensity_at(i, at_ms, &until_ms);
        struct intensity_mean m;

        MUST(until_ms > at_ms);
        MUST(isnan(v) || (v >= least && v <= 1e6));
        m = intensity_over(i, at_ms, at_ms < 0 ? at_ms : at_ms + 1);
        MUST(m.known >= 0 && m.known <= 1 && isnan(m.value) == !(m.known > 0));
    }
    (void)intensity_known_until(i, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int k = 0; k < 2; k++) {
        AUTO(intensity) struct intensity *i = NULL;
        double least = k ? -1e6 : 0;
        struct err e = ERR_INIT;

        if (intensity_parse("f", (const char *)data, size, least, &i, &e) == 0)
            ask(i, least);
        else
            MUST(e.text[0] == 'f' && !i);
    }
    return 0;
}
