/* Text for terminals: see text.h. */
#include "controller/cli/text.h"

#include <stdint.h>
#include <string.h>
#include <wchar.h>

/* Length of the UTF-8 sequence at s, and its character; 0: not UTF-8. Own, not mbrtowc(): safety
 * must not depend on a locale. */
static size_t decode(const unsigned char *s, uint32_t *ret)
{
    static const uint32_t LEAST[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t n = *s < 0x80 ? 1 : *s >> 5 == 6 ? 2 : *s >> 4 == 14 ? 3 : *s >> 3 == 30 ? 4 : 0;
    uint32_t c = n == 1 ? *s : *s & (0x7fu >> n);

    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        c = c << 6 | (s[i] & 63);
    }
    if (n == 0 || c < LEAST[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return n;
}

/* Characters that could steer a terminal or turn the text around. */
static int is_steering(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff ||
           (c >= 0xe0000 && c < 0xe0080);
}

void text_safe(struct strbuf *out, const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        uint32_t c = 0;
        size_t n = decode(s, &c);

        if (n == 0)
            strbuf_printf(out, "\\x%02x", *s);
        else if (c == '\n' || c == '\t')
            strbuf_puts(out, c == '\n' ? "\\n" : " ");
        else if (is_steering(c))
            strbuf_printf(out, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
        else
            strbuf_add(out, s, n);
        s += n ? n : 1;
    }
}

void text_safe_json(struct strbuf *out, const char *json)
{
    for (const unsigned char *s = (const unsigned char *)json; *s;) {
        uint32_t c = 0;
        size_t n = decode(s, &c);

        /* Control characters below 0x20 are jansson's own line ends: it escapes those in strings.
         */
        if (n == 0 || c < 0x20 || !is_steering(c))
            strbuf_add(out, s, n ? n : 1);
        else if (c > 0xffff)
            strbuf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)),
                          (unsigned)(0xdc00 + (c & 0x3ff)));
        else
            strbuf_printf(out, "\\u%04x", (unsigned)c);
        s += n ? n : 1;
    }
}

size_t text_width(const char *text)
{
    size_t width = 0;

    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        uint32_t c = 0;
        size_t n = decode(s, &c);
        int columns = n ? wcwidth((wchar_t)c) : 1;

        width += columns > 0 ? (size_t)columns : 0;
        s += n ? n : 1;
    }
    return width;
}

void text_wrap(struct strbuf *out, const char *text, size_t width, size_t indent)
{
    size_t column = 0;

    while (*text) {
        size_t blanks = strspn(text, " "), word = strcspn(text + blanks, " \n");
        char piece[256];

        if (text[blanks] == '\n') {
            strbuf_printf(out, "\n%*s", text[blanks + 1] ? (int)indent : 0, "");
            column = 0;
            text += blanks + 1;
            continue;
        }
        if (word >= sizeof(piece))
            word = sizeof(piece) - 1;
        memcpy(piece, text + blanks, word);
        piece[word] = '\0';
        if (column > 0 && column + blanks + text_width(piece) > width) {
            strbuf_printf(out, "\n%*s", (int)indent, "");
            column = blanks = 0;
        }
        strbuf_printf(out, "%*s%s", column ? (int)blanks : 0, "", piece);
        column += (column ? blanks : 0) + text_width(piece);
        text += strspn(text, " ") + word;
    }
}
