/* Prometheus text: see exposition.h. */
#include "proto/base/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void exposition_family(struct strbuf *page, const char *name, const char *type, const char *help)
{
    strbuf_printf(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_escaped(struct strbuf *page, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            strbuf_puts(page, "\\n");
        else if (*text == '"' || *text == '\\')
            strbuf_printf(page, "\\%c", *text);
        else
            strbuf_putc(page, *text);
    }
}

/* The shortest decimal that reads back as the same number. */
static void add_number(struct strbuf *page, double value)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        (void)snprintf(text, sizeof(text), "%.17g", value);
    strbuf_puts(page, text);
}

void exposition_sample(struct strbuf *page, const char *name, const struct label *labels, size_t n,
                       double value)
{
    char open = '{';

    if (!isfinite(value))
        return;
    strbuf_puts(page, name);
    for (size_t i = 0; i < n; i++) {
        if (!labels[i].name)
            continue;
        strbuf_printf(page, "%c%s=\"", open, labels[i].name);
        add_escaped(page, labels[i].value);
        strbuf_putc(page, '"');
        open = ',';
    }
    strbuf_puts(page, open == ',' ? "} " : " ");
    add_number(page, value);
    strbuf_putc(page, '\n');
}

void exposition_single(struct strbuf *page, const char *name, const char *type, const char *help,
                       double value)
{
    if (!isfinite(value))
        return;
    exposition_family(page, name, type, help);
    exposition_sample(page, name, NULL, 0, value);
}
