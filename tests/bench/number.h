/* Whole numbers of a bench program's command line: "2x" or "-1" is none. */
#ifndef HUDDLE_BENCH_NUMBER_H
#define HUDDLE_BENCH_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The digits that *text begins with, and *text behind them. False: there is none, or too many. */
bool number_read(const char **text, uint64_t *ret);

/* All of `text`, from `least` to `most`. */
bool number_whole(const char *text, uint64_t least, uint64_t most, uint64_t *ret);

#endif
