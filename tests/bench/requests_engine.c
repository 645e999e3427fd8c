/* See requests_engine.h. */
#include "tests/bench/requests_engine.h"

#include <math.h>
#include <string.h>

#include "proto/base/array.h"

static const struct engine engines[] = {
    { "llama2-70b",
      2,
      16,
      0.04197,
      { { 128, 0.0483 },
        { 256, 0.0518 },
        { 512, 0.0838 },
        { 1024, 0.1580 },
        { 2048, 0.3103 },
        { 4096, 0.6427 },
        { 8192, 1.3398 } } },
    { "bloom-176b",
      8,
      32,
      0.04584,
      { { 128, 0.0483 },
        { 256, 0.0512 },
        { 512, 0.0755 },
        { 1024, 0.1326 },
        { 2048, 0.2531 },
        { 4096, 0.6887 },
        { 8192, 1.5354 } } },
};

const struct engine *engine_default(void)
{
    return &engines[0];
}

const struct engine *engine_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(engines); i++)
        if (strcmp(engines[i].name, name) == 0)
            return &engines[i];
    return NULL;
}

double engine_prefill_s(const struct engine *g, double tokens)
{
    size_t k = 1;

    if (tokens <= g->prefill[0].tokens)
        return g->prefill[0].s; /* the weights are read once, however short it is */
    while (k < ENGINE_POINTS - 1 && g->prefill[k].tokens < tokens)
        k++;
    return g->prefill[k - 1].s + (g->prefill[k].s - g->prefill[k - 1].s) *
                                     (tokens - g->prefill[k - 1].tokens) /
                                     (g->prefill[k].tokens - g->prefill[k - 1].tokens);
}

struct pace engine_pace(const struct engine *g, const struct service *s)
{
    double prefill_s = 0, decode_s = 0, gpus_s, n = (double)s->n_requests;

    for (size_t i = 0; i < s->n_requests; i++) {
        prefill_s += engine_prefill_s(g, s->requests[i].context);
        decode_s += g->decode_s * s->requests[i].generated;
    }
    gpus_s = prefill_s + decode_s / g->places;
    return (struct pace){ n / gpus_s, g->places * gpus_s / (prefill_s + decode_s) };
}

double engine_busy_s(const struct engine *g, const struct pace *p, const struct request *x)
{
    return p->stretch * (engine_prefill_s(g, x->context) + g->decode_s * x->generated);
}
