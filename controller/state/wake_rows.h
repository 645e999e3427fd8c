/* Proofs of waking and wake tests to and from the store: part of a node's row (rows.h). */
#ifndef HUDDLE_WAKE_ROWS_H
#define HUDDLE_WAKE_ROWS_H

#include <jansson.h>

#include "controller/state/wake_proof.h"
#include "controller/state/wake_test.h"

json_t *wake_proof_to_row(const struct wake_proof *p); /* new reference */
void wake_proof_from_row(struct wake_proof *p, const json_t *row);

json_t *wake_test_to_row(const struct wake_test *t);
void wake_test_from_row(struct wake_test *t, const json_t *row);

#endif
