/* Random variates on a stream of proto/base/random.h, for what a simulation draws. Pure; how many
 * uniforms a variate takes is part of its contract, so that runs can be told again elsewhere. */
#ifndef HUDDLE_VARIATE_H
#define HUDDLE_VARIATE_H

#include "proto/base/random.h"

/* Standard normal: Box and Muller 1958, the cosine branch; two uniforms, no second value kept. */
double variate_normal(struct random *r);

/* Gamma with shape a >= 1 and scale 1: Marsaglia and Tsang 2000; a normal and a uniform a try. */
double variate_gamma(struct random *r, double a);

#endif
