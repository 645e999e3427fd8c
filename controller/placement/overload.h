/* How likely a host is short of what is asked of it: its use is the sum of many that fluctuate,
 * normal in mean and variance, with a logistic tail, which is heavier than the normal's; and all
 * have some fluctuation in common. Pure. */
#ifndef HUDDLE_OVERLOAD_H
#define HUDDLE_OVERLOAD_H

/* 0..1; all in one unit (variance in its square). 0 where nothing is asked. */
double overload_chance(double capacity, double mean, double variance);

#endif
