/* Single texts out of JSON that no parser may be able to read whole (nesting beyond its limit, a
 * NUL byte in a key, a number beyond 64 bits): what is needed to say which object it is. Pure. */
#ifndef HUDDLE_KUBE_PEEK_H
#define HUDDLE_KUBE_PEEK_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the string behind `path`, names of nested objects closed by NULL, and copies it into `ret`
 * as it is spelt. False, and `ret` as it was, where there is none, it is escaped (no name of
 * Kubernetes is), or longer than size - 1. */
bool kube_peek(const char *json, size_t n, const char *const *path, char *ret, size_t size);

#endif
