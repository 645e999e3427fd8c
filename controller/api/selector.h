/* labelSelector and fieldSelector of lists and watches, as kubectl writes them. Pure.
 *
 * Labels: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b, c)`, `a notin (b, c)`, joined by commas.
 * Fields: `status.state=asleep`, `spec.node!=a1`: any path to a value that is no list or mapping;
 * what is absent or null reads as the empty text. */
#ifndef HUDDLE_API_SELECTOR_H
#define HUDDLE_API_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

struct selector;

/* Either text may be NULL or empty; *ret_selector is NULL when both are. -EINVAL with the reason
 * in e. */
int selector_parse(const char *labels, const char *fields, struct selector **ret_selector,
                   struct err *e);
void selector_free(struct selector *s);
DEFINE_AUTO(selector, struct selector *, selector_free);

bool selector_matches(const struct selector *s, const json_t *object); /* NULL: everything */

#endif
