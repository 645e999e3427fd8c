/* A replica's metrics page: whatever it holds, and however it is cut, the result is the same, and
 * in range.
 *
 * Seeds: tests/data/metrics */
#include <math.h>

#include "agent/sensor/metrics.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct metrics *m)
{
    MUST(m->in_flight >= 0 && isfinite(m->in_flight));
    MUST(m->queue >= 0 && isfinite(m->queue));
    if (!m->latency_known)
        return;
    MUST(m->latency.n <= METRICS_BUCKETS_MAX && isfinite(m->latency.sum_ms));
    for (size_t i = 0; i < m->latency.n; i++) {
        MUST(isfinite(m->latency.bound_ms[i]));
        MUST(m->latency.count[i] <= m->latency.total);
        MUST(i == 0 || m->latency.bound_ms[i] > m->latency.bound_ms[i - 1]);
        MUST(i == 0 || m->latency.count[i] >= m->latency.count[i - 1]);
    }
}

static int parse_cut(const struct metrics_preset *preset, const uint8_t *data, size_t size,
                     struct metrics *ret_metrics)
{
    AUTO(metrics_parser) struct metrics_parser *p = metrics_parser_new(preset);
    struct err e = ERR_INIT;

    for (size_t at = 0; at < size;) {
        size_t n = 1 + data[at] % 13;
        n = n < size - at ? n : size - at;
        char *piece = fuzz_text(data + at, n);
        (void)metrics_parser_feed(p, piece, n, &e);
        free(piece);
        at += n;
    }
    return metrics_parser_finish(p, ret_metrics, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const presets[] = { "generic", "vllm", "triton" };

    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        const struct metrics_preset *preset = metrics_preset_find(presets[i]);
        struct metrics whole, cut;
        struct err e = ERR_INIT;
        int r = metrics_parse(preset, (const char *)data, size, &whole, &e);

        MUST((r < 0) == (e.text[0] != '\0'));
        MUST(parse_cut(preset, data, size, &cut) == r);
        if (r < 0)
            continue;
        check(&whole);
        MUST(whole.requests == cut.requests && whole.errors == cut.errors);
        MUST(whole.in_flight == cut.in_flight && whole.latency.total == cut.latency.total);
    }
    return 0;
}
