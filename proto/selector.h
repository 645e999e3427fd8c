/* Selectors of objects by their labels and fields, as kubectl writes them: `labelSelector` and
 * `fieldSelector` of the API, `-l` of the CLI. Pure.
 *
 * Labels: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b, c)`, `a notin (b, c)`, joined by commas.
 * Fields: `status.state=asleep`, `spec.node!=a1`: any path to a value that is no list or mapping;
 * what is absent or null reads as the empty text. */
#ifndef HUDDLE_SELECTOR_H
#define HUDDLE_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct selector;

/* Adds the requirements of a text to *s, which is made when it is NULL; a text that is NULL or
 * empty adds none. -EINVAL with the reason in e; *s is the caller's to free either way. */
int selector_add_labels(struct selector **s, const char *text, struct err *e);
int selector_add_fields(struct selector **s, const char *text, struct err *e);
void selector_free(struct selector *s);
DEFINE_AUTO(selector, struct selector *, selector_free);

bool selector_matches(const struct selector *s, const json_t *object); /* NULL: everything */

#endif
