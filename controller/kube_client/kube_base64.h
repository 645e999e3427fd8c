/* Base64 (RFC 4648, section 4, padded). Pure. */
#ifndef HUDDLE_KUBE_BASE64_H
#define HUDDLE_KUBE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/strbuf.h"

void kube_base64(struct strbuf *out, const void *bytes, size_t n);

/* Line breaks are skipped; false for anything else that is none. Appends to `out`. */
bool kube_base64_decode(struct strbuf *out, const char *text);

#endif
