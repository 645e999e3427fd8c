/* Base64: see kube_base64.h. */
#include "controller/kube_client/kube_base64.h"

#include <string.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void kube_base64(struct strbuf *out, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < n; i += 3) {
        unsigned left = n - i < 3 ? (unsigned)(n - i) : 3;
        unsigned bits = (unsigned)b[i] << 16 | (left > 1 ? (unsigned)b[i + 1] << 8 : 0) |
                        (left > 2 ? (unsigned)b[i + 2] : 0);

        for (unsigned d = 0; d < 4; d++)
            strbuf_putc(out, d > left ? '=' : DIGITS[bits >> (18 - 6 * d) & 63]);
    }
}

/* 0..63, or -1. */
static int digit(char c)
{
    const char *at = c ? strchr(DIGITS, c) : NULL;

    return at ? (int)(at - DIGITS) : -1;
}

bool kube_base64_decode(struct strbuf *out, const char *text)
{
    unsigned bits = 0, n = 0, padding = 0;

    for (; *text; text++) {
        int d = digit(*text);

        if (*text == '\n' || *text == '\r')
            continue;
        padding += *text == '=';
        if (*text != '=' && (d < 0 || padding))
            return false;
        bits = bits << 6 | (unsigned)(d < 0 ? 0 : d);
        if (++n % 4)
            continue;
        if (padding > 2)
            return false;
        for (unsigned i = 0; i < 3 - padding; i++)
            strbuf_putc(out, (char)(bits >> (16 - 8 * i)));
        bits = 0;
    }
    return n % 4 == 0 && padding <= 2;
}
