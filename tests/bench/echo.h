/* The peer of bench-ingest: libmicrohttpd alone, which sends back the body it was sent. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include <stdint.h>

struct echo;

/* Listens on 127.0.0.1 with as many threads as the controller; NULL when it cannot. */
struct echo *echo_start(unsigned threads, uint16_t *ret_port);
void echo_stop(struct echo *e);

#endif
