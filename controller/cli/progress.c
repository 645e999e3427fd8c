/* How far a long wait is: see progress.h. */
#include "controller/cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/human.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"

#define BAR 20

void progress_bar(struct strbuf *out, size_t done, size_t all)
{
    size_t full = all ? BAR * (done < all ? done : all) / all : 0;

    strbuf_putc(out, '[');
    for (size_t i = 0; i < BAR; i++)
        strbuf_putc(out, i < full ? '#' : '-');
    strbuf_printf(out, "] %zu/%zu", done, all);
}

void progress_begin(struct progress *p, int64_t now_ms)
{
    *p = (struct progress){ .terminal = isatty(STDERR_FILENO), .begin_ms = now_ms };
}

void progress_show(struct progress *p, size_t done, size_t all, const char *what, int64_t now_ms)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    char age[HUMAN_MAX];

    if (all) {
        progress_bar(&line, done, all);
        strbuf_putc(&line, ' ');
    }
    text_safe(&line, what);
    if (p->terminal) {
        (void)fprintf(stderr, "\r\033[K%s (%s)", strbuf_text(&line),
                      human_age(now_ms - p->begin_ms, age));
        (void)fflush(stderr);
    } else if (!p->last || strcmp(p->last, strbuf_text(&line)) != 0) {
        (void)fprintf(stderr, "%s\n", strbuf_text(&line));
    }
    free(p->last);
    p->last = strbuf_take(&line);
}

void progress_end(struct progress *p)
{
    if (p->terminal && p->last)
        (void)fputs("\r\033[K", stderr);
    free(p->last);
    p->last = NULL;
}
