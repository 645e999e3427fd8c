/* Times as fields of type MicroTime have them. Pure.
 * Source: k8s.io/apimachinery/pkg/apis/meta/v1 (RFC3339Micro): a server refuses a Lease or an Event
 * whose times have another number of digits. */
#ifndef HUDDLE_KUBE_TIME_H
#define HUDDLE_KUBE_TIME_H

#include <stdint.h>

#define KUBE_TIME_SIZE 40

/* "2026-11-27T03:45:00.000000Z": exactly six digits of a second. Wall time in ms, and microseconds
 * (0 to 999) behind it; what lies outside of the years 1970 to 9999 becomes the nearest ms that
 * does not. */
void kube_time_format(int64_t wall_ms, unsigned us, char text[KUBE_TIME_SIZE]);

#endif
