/* Text inside of a URL: all but unreserved characters (RFC 3986) as %XX. Pure. */
#ifndef HUDDLE_KUBE_ESCAPE_H
#define HUDDLE_KUBE_ESCAPE_H

#include "proto/base/strbuf.h"

void kube_escape(struct strbuf *out, const char *text);

#endif
