/* UTF-8 as RFC 3629 defines it: no surrogates, no overlong forms, at most U+10FFFF. Pure. */
#ifndef HUDDLE_BASE_UTF8_H
#define HUDDLE_BASE_UTF8_H

#include <stddef.h>

/* Bytes of the sequence that begins at s, 1 to 4, or 0 for what is none. Reads no byte behind one
 * that does not continue the sequence: a NUL-terminated text needs no length. */
size_t utf8_length(const unsigned char *s);

#endif
