/* UTF-8: see utf8.h. */
#include "proto/base/utf8.h"

#include "proto/base/array.h"

size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        unsigned least, most;
    } FORMS[] = { { 0x80, 0x00, 0, 0x7f },
                  { 0xe0, 0xc0, 0x80, 0x7ff },
                  { 0xf0, 0xe0, 0x800, 0xffff },
                  { 0xf8, 0xf0, 0x10000, 0x10ffff } };

    for (size_t f = 0; f < ARRAY_LEN(FORMS); f++) {
        unsigned code = s[0] & (unsigned char)~FORMS[f].mask;

        if ((s[0] & FORMS[f].mask) != FORMS[f].lead)
            continue;
        for (size_t i = 1; i <= f; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            code = code << 6 | (s[i] & 0x3fu);
        }
        if (code < FORMS[f].least || code > FORMS[f].most || (code >= 0xd800 && code <= 0xdfff))
            return 0;
        return f + 1;
    }
    return 0;
}
