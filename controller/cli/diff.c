/* Unified diff: see diff.h. */
#include "controller/cli/diff.h"

#include <stdlib.h>
#include <string.h>

#include "controller/cli/table.h"
#include "proto/base/array.h"

#define CONTEXT ((size_t)3)
#define MOST_CHANGES 4000

struct line {
    const char *text;
    size_t n;
};

struct lines {
    struct line *lines;
    size_t n_lines, cap_lines;
};

struct edit {
    char mark; /* ' ', '-', '+' */
    struct line line;
};

struct script { /* the whole of both texts, as edits in order */
    struct edit *edits;
    size_t n_edits, cap_edits;
};

static struct lines split(const char *text)
{
    struct lines l = { xcalloc(1, sizeof(struct line)), 0, 1 }; /* also of an empty text */

    while (*text) {
        size_t n = strcspn(text, "\n");

        *ARRAY_ADD(&l, lines) = (struct line){ text, n };
        text += n + (text[n] == '\n');
    }
    return l;
}

static bool same(const struct line *a, const struct line *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

static void add(struct script *s, char mark, const struct lines *from, size_t i)
{
    *ARRAY_ADD(s, edits) = (struct edit){ mark, from->lines[i] };
}

/* --- shortest edit script ----------------------------------------------------------------------
 *
 * fur[d] holds, for each diagonal k = x - y, how far x a path of d changes reaches; diagonal k of
 * round d lies at fur[d][k + d + 1]. */

static long reach(long *const *fur, long d, long k)
{
    const long *last = fur[d - 1];
    long at = k + d; /* diagonal k in round d - 1 */

    if (k == -d || (k != d && last[at - 1] < last[at + 1]))
        return last[at + 1]; /* down: an insertion */
    return last[at - 1] + 1; /* right: a deletion */
}

/* Returns the number of changes, or -1 when there are more than `most`; fur[0..d] is filled. */
static long search(const struct lines *a, const struct lines *b, long most, long **fur)
{
    long n = (long)a->n_lines, m = (long)b->n_lines;

    for (long d = 0; d <= most; d++) {
        fur[d] = xcalloc((size_t)(2 * d + 3), sizeof(long));
        fur[d][0] = fur[d][2 * d + 2] = -1;
        for (long k = -d; k <= d; k += 2) {
            long x = d == 0 ? 0 : reach(fur, d, k), y = x - k;

            while (x < n && y >= 0 && y < m && same(&a->lines[x], &b->lines[y])) {
                x++;
                y++;
            }
            fur[d][k + d + 1] = x;
            if (x >= n && y >= m)
                return d;
        }
    }
    return -1;
}

/* Walks back from the ends; the edits come out in reverse. */
static void walk_back(const struct lines *a, const struct lines *b, long d, long *const *fur,
                      struct script *s)
{
    long x = (long)a->n_lines, y = (long)b->n_lines;

    for (; d > 0; d--) {
        long k = x - y, from = reach(fur, d, k);
        bool down = k == -d || (k != d && fur[d - 1][k + d - 1] < fur[d - 1][k + d + 1]);

        while (x > from) {
            add(s, ' ', a, (size_t)--x);
            y--;
        }
        if (down)
            add(s, '+', b, (size_t)--y);
        else
            add(s, '-', a, (size_t)--x);
    }
    while (x > 0)
        add(s, ' ', a, (size_t)--x);
}

static void reverse(struct script *s)
{
    for (size_t i = 0; i < s->n_edits / 2; i++) {
        struct edit kept = s->edits[i];

        s->edits[i] = s->edits[s->n_edits - 1 - i];
        s->edits[s->n_edits - 1 - i] = kept;
    }
}

static void replace_all(const struct lines *a, const struct lines *b, struct script *s)
{
    for (size_t i = 0; i < a->n_lines; i++)
        add(s, '-', a, i);
    for (size_t i = 0; i < b->n_lines; i++)
        add(s, '+', b, i);
}

static void compare(const struct lines *a, const struct lines *b, struct script *s)
{
    long most = (long)(a->n_lines + b->n_lines), d;
    long **fur;

    if (most > MOST_CHANGES)
        most = MOST_CHANGES;
    fur = xcalloc((size_t)most + 1, sizeof(*fur));
    d = search(a, b, most, fur);
    if (d < 0) {
        replace_all(a, b, s);
    } else {
        walk_back(a, b, d, fur, s);
        reverse(s);
    }
    for (long i = 0; i <= most; i++)
        free(fur[i]);
    free(fur);
}

/* --- printing ----------------------------------------------------------------------------------
 */

/* The end of the hunk that begins at edit i: behind its last change and the context below it. */
static size_t hunk_end(const struct script *s, size_t i)
{
    size_t last = i;

    for (; i < s->n_edits && i <= last + 2 * CONTEXT; i++)
        if (s->edits[i].mark != ' ')
            last = i;
    return last + CONTEXT + 1 < s->n_edits ? last + CONTEXT + 1 : s->n_edits;
}

static void range(struct strbuf *out, char mark, size_t from, size_t n)
{
    strbuf_printf(out, "%c%zu", mark, n ? from + 1 : from);
    if (n != 1)
        strbuf_printf(out, ",%zu", n);
}

static void print_hunk(struct strbuf *out, const struct edit *edits, size_t n, size_t before,
                       size_t after, bool colour)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    size_t old = 0, new = 0;

    for (size_t i = 0; i < n; i++) {
        old += edits[i].mark != '+';
        new += edits[i].mark != '-';
    }
    strbuf_puts(&text, "@@ ");
    range(&text, '-', before, old);
    strbuf_putc(&text, ' ');
    range(&text, '+', after, new);
    strbuf_puts(&text, " @@");
    paint_text(out, strbuf_text(&text), PAINT_CALM, colour);
    strbuf_putc(out, '\n');
    for (size_t i = 0; i < n; i++) {
        char mark = edits[i].mark;

        strbuf_clear(&text);
        strbuf_printf(&text, "%c%.*s", mark, (int)edits[i].line.n, edits[i].line.text);
        paint_text(out, strbuf_text(&text),
                   mark == '+'   ? PAINT_GOOD
                   : mark == '-' ? PAINT_BAD
                                 : PAINT_NONE,
                   colour);
        strbuf_putc(out, '\n');
    }
}

static void print_hunks(struct strbuf *out, const struct script *s, bool colour)
{
    size_t before = 0, after = 0; /* lines of both texts behind us */

    for (size_t i = 0, done = 0; i < s->n_edits; i++) {
        size_t begin = i > done + CONTEXT ? i - CONTEXT : done, end;

        if (s->edits[i].mark == ' ')
            continue;
        end = hunk_end(s, i);
        for (; done < begin; done++, before++, after++)
            ;
        print_hunk(out, s->edits + begin, end - begin, before, after, colour);
        for (; done < end; done++) {
            before += s->edits[done].mark != '+';
            after += s->edits[done].mark != '-';
        }
        i = end - 1;
    }
}

bool diff_unified(struct strbuf *out, const char *before_name, const char *before,
                  const char *after_name, const char *after, bool colour)
{
    struct lines a, b;
    struct script s = { 0 };

    if (strcmp(before, after) == 0)
        return false;
    a = split(before);
    b = split(after);
    compare(&a, &b, &s);
    strbuf_printf(out, "--- %s\n+++ %s\n", before_name, after_name);
    print_hunks(out, &s, colour);
    free(a.lines);
    free(b.lines);
    free(s.edits);
    return true;
}
