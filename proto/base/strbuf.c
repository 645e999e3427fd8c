/* A growing byte string: see strbuf.h. */
#include "proto/base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"

void strbuf_done(struct strbuf *b)
{
    free(b->data);
    *b = (struct strbuf)STRBUF_INIT;
}

void strbuf_clear(struct strbuf *b)
{
    b->length = 0;
    if (b->data)
        b->data[0] = '\0';
}

void strbuf_reserve(struct strbuf *b, size_t more)
{
    size_t need = b->length + more + 1, capacity = b->capacity ? b->capacity : 64;

    if (need <= b->capacity)
        return;
    while (capacity < need)
        capacity += capacity / 2;
    b->data = xrealloc(b->data, capacity);
    b->capacity = capacity;
    b->data[b->length] = '\0';
}

void strbuf_add(struct strbuf *b, const void *bytes, size_t n)
{
    strbuf_reserve(b, n);
    if (n)
        memcpy(b->data + b->length, bytes, n);
    b->length += n;
    b->data[b->length] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_putc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_vprintf(struct strbuf *b, const char *format, va_list ap)
{
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, format, ap);
    if (n > 0) {
        strbuf_reserve(b, (size_t)n);
        (void)vsnprintf(b->data + b->length, (size_t)n + 1, format, again);
        b->length += (size_t)n;
    }
    va_end(again);
}

void strbuf_printf(struct strbuf *b, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(b, format, ap);
    va_end(ap);
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->data ? b->data : "";
}

char *strbuf_take(struct strbuf *b)
{
    char *text;

    strbuf_reserve(b, 0);
    text = b->data;
    *b = (struct strbuf)STRBUF_INIT;
    return text;
}
