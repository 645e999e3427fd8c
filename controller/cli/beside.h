/* Parts of a long work side by side, each in a thread of its own. */
#ifndef HUDDLE_CLI_BESIDE_H
#define HUDDLE_CLI_BESIDE_H

#include "controller/simulate/comparison.h"

/* The first one, which does not yield, in the calling thread. False: the system gives no threads,
 * and none was begun. */
bool beside_run(const struct beside_task *tasks, size_t n);

#endif
