/* From a request's JSON to the answer's JSON: what POST /v1/predict computes. Kept apart from HTTP,
 * so that a load generator can compute the right answers itself. */
#ifndef CLASSIFIER_PREDICT_H
#define CLASSIFIER_PREDICT_H

#include "deploy/examples/classifier/network.h"
#include "proto/base/strbuf.h"

#define PREDICT_ROWS_MAX 1024u

/* `body` is one array of NETWORK_INPUTS numbers, or an array of such arrays. Appends
 * {"probability":[p, ...]} with 17 significant digits, which name a double exactly. -EBADMSG: the
 * body is not that; `e` says where. */
int predict_answer(struct network *n, const char *body, size_t length, struct strbuf *out,
                   struct err *e);

#endif
