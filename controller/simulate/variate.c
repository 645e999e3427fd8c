/* See variate.h. */
#include "controller/simulate/variate.h"

#include <math.h>

#define TWO_PI 6.283185307179586476925286766559

double variate_normal(struct random *r)
{
    double u1 = random_unit(r), u2 = random_unit(r);

    return sqrt(-2 * log(u1)) * cos(TWO_PI * u2);
}

double variate_gamma(struct random *r, double a)
{
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);

    for (;;) {
        double x = variate_normal(r), v = 1 + c * x, u;

        if (v <= 0)
            continue;
        v = v * v * v;
        u = random_unit(r);
        if (log(u) < x * x / 2 + d - d * v + d * log(v))
            return d * v;
    }
}
