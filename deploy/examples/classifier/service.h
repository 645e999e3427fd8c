/* The HTTP side of the classifier: POST /v1/predict, GET /healthz, GET /metrics.
 *
 * One thread of libmicrohttpd serves all connections, one request after the other: a replica is one
 * processor's worth of work, and more of it means more replicas. Until service_ready() health and
 * predictions are answered with 503. */
#ifndef CLASSIFIER_SERVICE_H
#define CLASSIFIER_SERVICE_H

#include <stdint.h>

#include "deploy/examples/classifier/network.h"

#define SERVICE_BODY_MAX (1u << 20)

struct service;

/* Listens on 0.0.0.0:port. */
int service_start(uint16_t port, struct service **ret_s, struct err *e);

/* Predictions are answered from `n` (borrowed) from now on. */
void service_ready(struct service *s, struct network *n);

/* Accepts no further connection, answers with "Connection: close", and returns when nothing is in
 * flight or `timeout_ms` have passed. Returns the requests then still in flight. */
unsigned service_drain(struct service *s, int64_t timeout_ms);

void service_free(struct service *s); /* cuts what is left */
DEFINE_AUTO(service, struct service *, service_free);

#endif
