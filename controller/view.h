/* Small helpers for the JSON views: what is not known is null, never 0. */
#ifndef HUDDLE_VIEW_H
#define HUDDLE_VIEW_H

#include <jansson.h>
#include <stdint.h>

json_t *view_number(double v);        /* null when not finite */
json_t *view_time(int64_t wall_ms);   /* RFC 3339; null for 0 */
json_t *view_second(int64_t wall_ms); /* the same to the second, as Kubernetes reads times */
json_t *view_text(const char *text);  /* "" for NULL or what is not UTF-8 */
json_t *view_strings(char *const *item, size_t n);
json_t *view_joules(uint64_t energy_uj);
json_t *view_head(const char *kind, const char *name, const char *uid, uint64_t version,
                  int64_t created_wall_ms, json_t *labels);
void view_set(json_t *object, const char *key, json_t *value);

#endif
