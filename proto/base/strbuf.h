/* A growing byte string, always NUL-terminated. Zero-initialise it (STRBUF_INIT), append, then
 * either strbuf_done() it or take the bytes with strbuf_take(). Appending aborts when memory is
 * exhausted: use it for text bounded by configuration; what is bounded by the network is limited by
 * its reader before it comes here (STYLE 13). */
#ifndef HUDDLE_BASE_STRBUF_H
#define HUDDLE_BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

#include "proto/base/cleanup.h"

struct strbuf {
    char *data; /* never read it when length is 0: use strbuf_text() */
    size_t length;
    size_t capacity;
};

#define STRBUF_INIT \
    {               \
        NULL, 0, 0  \
    }

void strbuf_done(struct strbuf *b);
void strbuf_clear(struct strbuf *b); /* keeps the memory */
void strbuf_reserve(struct strbuf *b, size_t more);
void strbuf_add(struct strbuf *b, const void *bytes, size_t n);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* The text, "" when nothing was appended. Borrowed until the next call on b. */
const char *strbuf_text(const struct strbuf *b);

/* Gives the heap string to the caller (to free) and empties b. Never NULL. */
char *strbuf_take(struct strbuf *b);

static inline void auto_strbuf(struct strbuf *b)
{
    strbuf_done(b);
}

#endif
