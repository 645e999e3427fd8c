/* Tail and common share were found in the PlanetLab arena (make bench-planetlab). */
#include "controller/placement/overload.h"

#include <math.h>

#define SHARED_SPREAD 0.009 /* of the mean: what all have in common */
#define TAIL 2.1            /* of the logistic that stands for the normal's upper tail */

double overload_chance(double capacity, double mean, double variance)
{
    double shared = SHARED_SPREAD * mean, spread = sqrt(fmax(0, variance) + shared * shared), z;

    if (mean <= 0)
        return 0;
    z = (capacity - mean) / fmax(spread, 1e-9);
    return 1 / (1 + exp(fmin(TAIL * z, 700)));
}
