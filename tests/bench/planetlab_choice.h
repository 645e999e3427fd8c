/* Prices judged on days on which they were not chosen. For each day a setting of three prices (a
 * move, an expected overload, for how long an emptied host stays empty) is chosen from a grid
 * around the defaults by the other days alone: the least energy among those that keep the limits
 * there in the mean. What it does on the day that was left out is printed beside the defaults. */
#ifndef HUDDLE_BENCH_PLANETLAB_CHOICE_H
#define HUDDLE_BENCH_PLANETLAB_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/err.h"

/* Two days at least. */
int planetlab_choice(char *const *folders, size_t n, bool keep_idle, struct err *e);

#endif
