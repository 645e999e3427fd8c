/* Among the nodes that stay awake: which replica would better stand elsewhere? Packing fills nodes
 * one after the other, so that others can sleep; of those that do not, the curves decide whether
 * the same work draws less spread or together (the price of a place is what P(u) grows by), the
 * measured fluctuation of use which node is too full (load.h), and, where devices are short, the
 * mixture of demand which of them are cut up for nothing (mix.h). One price in watts, by the time
 * for which the nodes are expected to stay.
 *
 * Each change is one move, and is made only when it saves more than the move costs (the policy's
 * price, what two at once draw while the new one loads, and the risk of that) in no longer than the
 * replica has stood where it stands: what fluctuates is not run after. Replicas that are only now
 * to be started go by the same rule without the risk. What an evacuation left whole stays whole: no
 * empty node is used unless all stay for as long as can be seen, and the loss of any one node is
 * survived as before, or all is taken back. */
#ifndef HUDDLE_RELOCATION_H
#define HUDDLE_RELOCATION_H

#include "controller/placement/packing.h"

/* `stay_s`: for how long none of the nodes is expected to be let go (evacuation.h);
 * `devices_short`: what is of use of a device will be used. Returns the number of moves. */
uint32_t relocation(struct packing *p, double stay_s, bool devices_short);

#endif
