/* What the agent itself takes of its node's memory. */
#ifndef HUDDLE_FOOTPRINT_H
#define HUDDLE_FOOTPRINT_H

#include <stddef.h>

/* Before the first thread: the allocator keeps what a report needs, instead of giving it to the
 * kernel and asking for it again every interval. */
void footprint_init(void);

/* Gives back the pages of programs and libraries that only the start needed (relocation, symbols,
 * initialisation of TLS: two thirds of all). What is needed after all comes back from the page
 * cache. Returns how many bytes were mapped by what was given back. */
size_t footprint_shrink(void);

#endif
