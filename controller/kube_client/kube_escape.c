/* Text inside of a URL: see kube_escape.h. */
#include "controller/kube_client/kube_escape.h"

#include <string.h>

void kube_escape(struct strbuf *out, const char *text)
{
    for (; *text; text++)
        if (strchr("-._~", *text) || (*text >= '0' && *text <= '9') ||
            (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z'))
            strbuf_putc(out, *text);
        else
            strbuf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
}
