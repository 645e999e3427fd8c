/* Fills a packing, models in descending size: takes surplus away, starts what is missing (opening
 * nodes where needed), moves replicas off nodes that are on their way to sleep or drained by a
 * person, and renews what is outdated. */
#ifndef HUDDLE_FILLING_H
#define HUDDLE_FILLING_H

#include "controller/placement/packing.h"

void filling(struct packing *p);

#endif
