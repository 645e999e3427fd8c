/* The last lines of a log: see log_tail.h. */
#include "agent/replica/log_tail.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/log_copier.h"
#include "proto/base/cleanup.h"
#include "proto/base/utf8.h"

#define READ_BYTES 32768
#define PATH_SIZE 4096
#define ESCAPE 0x1b

/* Bytes of a terminal escape at p: ESC [ parameters letter, or ESC and one byte. */
static size_t escape_length(const char *p, const char *end)
{
    const char *q = p + 1;

    if (q < end && *q == '[') {
        q++;
        while (q < end && ((unsigned char)*q < 0x40 || (unsigned char)*q > 0x7e))
            q++;
    }
    return (size_t)((q < end ? q + 1 : end) - p);
}

/* Bytes of the UTF-8 sequence at p, which must end before `end`, or 0. */
static size_t sequence_length(const char *p, const char *end)
{
    unsigned char bytes[5] = { 0 };
    size_t n = (size_t)(end - p);

    memcpy(bytes, p, n < 4 ? n : 4);
    return utf8_length(bytes);
}

static void add_printable(const char *p, const char *end, struct strbuf *out)
{
    while (p < end) {
        size_t n = sequence_length(p, end);

        if ((unsigned char)*p == ESCAPE) {
            p += escape_length(p, end);
            continue;
        }
        if (n == 0)
            strbuf_putc(out, '?');
        else if (*p == '\t')
            strbuf_putc(out, ' ');
        else if ((unsigned char)*p >= 0x20 && *p != 0x7f)
            strbuf_add(out, p, n);
        p += n ? n : 1;
    }
}

/* The start of the `lines`th line from the end, blank lines not counted. */
static const char *find_start(const char *text, const char *end, size_t lines)
{
    const char *p = end;
    bool filled = false;

    for (; p > text; p--) {
        if (p[-1] == '\n') {
            lines -= filled ? 1 : 0;
            filled = false;
            if (lines == 0)
                break;
        } else if (p[-1] != ' ' && p[-1] != '\r') {
            filled = true;
        }
    }
    return p;
}

static void cut_front(const struct strbuf *line, size_t most, struct strbuf *out)
{
    const char *p = strbuf_text(line), *end = p + line->length;

    if (line->length > most && most >= 4) {
        p = end - (most - 3);
        while (p < end && ((unsigned char)*p & 0xc0) == 0x80)
            p++;
        strbuf_puts(out, "...");
    }
    if ((size_t)(end - p) <= most)
        strbuf_add(out, p, (size_t)(end - p));
}

void log_tail_of(const char *text, size_t n, size_t lines, size_t most, struct strbuf *out)
{
    AUTO(strbuf) struct strbuf all = STRBUF_INIT;
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    const char *end = text + n, *p = lines ? find_start(text, end, lines) : end;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        const char *stop = newline ? newline : end;

        strbuf_clear(&line);
        add_printable(p, stop, &line);
        if (line.length && all.length)
            strbuf_puts(&all, " | ");
        strbuf_add(&all, strbuf_text(&line), line.length);
        p = newline ? newline + 1 : end;
    }
    cut_front(&all, most, out);
}

/* Appends the last bytes of a file, from the start of a line. */
static void read_end(const char *folder, const char *name, struct strbuf *text)
{
    char path[PATH_SIZE], chunk[4096];
    AUTO(fd) int fd = -1;
    struct stat st;
    off_t at;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= PATH_SIZE)
        return;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    at = st.st_size > READ_BYTES ? st.st_size - READ_BYTES : 0;
    for (size_t left = READ_BYTES; left;) {
        ssize_t n = pread(fd, chunk, left < sizeof(chunk) ? left : sizeof(chunk), at);

        if (n <= 0)
            return;
        strbuf_add(text, chunk, (size_t)n);
        at += n;
        left -= (size_t)n;
    }
}

/* Behind the last LOG_RUN, which stands in a line of its own. Logs may hold zero bytes. */
static const char *newest_run(const char *text, size_t n)
{
    const char *start = text, *at, *end = text + n;

    while ((at = memmem(start, (size_t)(end - start), "\n" LOG_RUN, strlen("\n" LOG_RUN))))
        start = at + strlen("\n" LOG_RUN);
    return start;
}

void log_tail(const char *folder, size_t lines, size_t most, struct strbuf *out)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct strbuf log = STRBUF_INIT;
    const char *run;

    read_end(folder, "log", &log);
    if (log.length < most)
        read_end(folder, "log.1", &text);
    strbuf_add(&text, strbuf_text(&log), log.length);
    strbuf_done(&log);
    run = newest_run(strbuf_text(&text), text.length);
    log_tail_of(run, text.length - (size_t)(run - strbuf_text(&text)), lines, most, out);
}
