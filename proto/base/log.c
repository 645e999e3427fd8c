/* Structured log lines: see log.h. One write(2) a line, so that lines of threads do not mix. */
#include "proto/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/cleanup.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

static const char *const NAMES[] = { "debug", "info", "warn", "error" };
static const char *const PRIORITY[] = { "<7>", "<6>", "<4>", "<3>" }; /* sd-daemon(3) */

static struct { /* read by all threads while a reload changes it */
    atomic_int least;
    atomic_bool json, journal;
} sink = { LOG_LEVEL_INFO, false, false };

void log_setup(enum log_level least, bool json)
{
    atomic_store(&sink.least, (int)least);
    atomic_store(&sink.json, json);
    atomic_store(&sink.journal, getenv("JOURNAL_STREAM") != NULL);
}

static void put_value(struct strbuf *b, const char *value, bool quote)
{
    if (quote)
        strbuf_putc(b, '"');
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if (c == '"' || c == '\\')
            strbuf_putc(b, '\\');
        if (c < 0x20 || c == 0x7f)
            strbuf_printf(b, "\\u%04x", c);
        else
            strbuf_putc(b, (char)c);
    }
    if (quote)
        strbuf_putc(b, '"');
}

static void put_pair(struct strbuf *b, bool json, const char *key, const char *value)
{
    bool quote = json || !value[0] || value[strcspn(value, " \"=\\\t\n")];

    if (json) {
        strbuf_puts(b, b->length > 1 ? "," : "");
        put_value(b, key, true);
        strbuf_putc(b, ':');
    } else {
        strbuf_printf(b, "%s%s=", b->length ? " " : "", key);
    }
    put_value(b, value, quote);
}

void log_line(enum log_level level, const char *msg, ...)
{
    AUTO(strbuf) struct strbuf b = STRBUF_INIT;
    char when[CLOCK_TEXT_MAX];
    bool json = atomic_load(&sink.json), journal = atomic_load(&sink.journal);
    const char *key;
    va_list ap;

    if ((int)level < atomic_load(&sink.least))
        return;
    if (json)
        strbuf_putc(&b, '{');
    if (!journal) {
        clock_format(clock_wall_ms(), when);
        put_pair(&b, json, "time", when);
    }
    put_pair(&b, json, "level", NAMES[level]);
    put_pair(&b, json, "msg", msg);
    va_start(ap, msg);
    while ((key = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);

        put_pair(&b, json, key, value ? value : "");
    }
    va_end(ap);
    strbuf_puts(&b, json ? "}\n" : "\n");
    if (journal && write(STDERR_FILENO, PRIORITY[level], 3) < 0)
        return;
    if (write(STDERR_FILENO, b.data, b.length) < 0)
        return;
}
