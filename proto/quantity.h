/* Numbers with units, as people write them in manifests and configuration. Parsing is exact and
 * checked for overflow; nothing is rounded silently. Each returns 0 or -EINVAL with what was
 * expected in e. Formatting gives the canonical text, which parses to the same number. Pure. */
#ifndef HUDDLE_QUANTITY_H
#define HUDDLE_QUANTITY_H

#include <stdint.h>

#include "proto/base/err.h"

#define QUANTITY_TEXT_MAX 32

/* Kubernetes resource quantities, not negative: decimal number and suffix (n u m k M G T P E, Ki Mi
 * Gi Ti Pi Ei, or an exponent like e3), in thousandths for CPU ("500m" -> 500, "2" -> 2000), whole
 * for bytes ("2Gi"). What is finer is refused, where Kubernetes rounds up; so are Ki to Ei for CPU:
 * somebody meant memory. */
int quantity_cpu(const char *text, int64_t *ret_milli, struct err *e);
int quantity_bytes(const char *text, int64_t *ret_bytes, struct err *e);

/* Sequences of number and unit: "90s", "1h30m", "250ms", "7d". */
int quantity_duration(const char *text, int64_t *ret_ms, struct err *e);

/* "150W", "1.2kW", "500mW" -> mW;  "3kJ", "12J", "0.1kWh", "250Wh" -> mJ. */
int quantity_watts(const char *text, int64_t *ret_mw, struct err *e);
int quantity_joules(const char *text, int64_t *ret_mj, struct err *e);

/* "0.99" or "99%" -> 0.99, within 0..1. */
int quantity_share(const char *text, double *ret_share, struct err *e);

/* "08:30" -> ms of the day; "24:00" is its end. */
int quantity_time_of_day(const char *text, int64_t *ret_ms, struct err *e);

void quantity_format_cpu(int64_t milli, char text[QUANTITY_TEXT_MAX]);
void quantity_format_bytes(int64_t bytes, char text[QUANTITY_TEXT_MAX]);
void quantity_format_duration(int64_t ms, char text[QUANTITY_TEXT_MAX]);
void quantity_format_watts(int64_t mw, char text[QUANTITY_TEXT_MAX]);
void quantity_format_joules(int64_t mj, char text[QUANTITY_TEXT_MAX]);
void quantity_format_time_of_day(int64_t ms, char text[QUANTITY_TEXT_MAX]);

#endif
