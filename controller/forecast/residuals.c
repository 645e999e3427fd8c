/* A ring, and beside it the same numbers in order. */
#include "controller/forecast/residuals.h"

#include <math.h>
#include <string.h>

static uint32_t position(const struct residuals *r, float error)
{
    uint32_t low = 0, high = r->n;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (r->sorted[middle] < error)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void drop_oldest(struct residuals *r)
{
    uint32_t at = position(r, r->ring[r->next]);

    memmove(&r->sorted[at], &r->sorted[at + 1], (r->n - at - 1) * sizeof(r->sorted[0]));
    r->n--;
}

void residuals_add(struct residuals *r, float error)
{
    uint32_t at;

    if (isnan(error))
        return;
    if (r->n == RESIDUALS)
        drop_oldest(r);
    at = position(r, error);
    memmove(&r->sorted[at + 1], &r->sorted[at], (r->n - at) * sizeof(r->sorted[0]));
    r->sorted[at] = error;
    r->ring[r->next] = error;
    r->next = (r->next + 1) % RESIDUALS;
    r->n++;
}

float residuals_quantile(const struct residuals *r, double level)
{
    double rank = ceil((r->n + 1) * level);

    if (r->n == 0)
        return NAN;
    if (rank > r->n)
        return r->sorted[r->n - 1] + 0.1f * fabsf(r->sorted[r->n - 1]);
    return r->sorted[rank < 1 ? 0 : (uint32_t)rank - 1];
}
