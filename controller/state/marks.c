/* A plain array: a node has a few marks a day. The packed form is text: since, then for each mark
 * its kind and the milliseconds after the mark before it, in hexadecimal. */
#include "controller/state/marks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define WALL_MOST_MS ((int64_t)1 << 48) /* the year 10889 */

static int64_t time_of(int64_t mark)
{
    return mark / MARK_KINDS;
}

static int kind_of(int64_t mark)
{
    return (int)(mark % MARK_KINDS);
}

void marks_done(struct marks *m)
{
    free(m->mark);
    *m = (struct marks){ 0 };
}

void marks_begin(struct marks *m, int64_t wall_ms)
{
    if (m->since_wall_ms == 0)
        m->since_wall_ms = wall_ms;
}

/* A quarter at once: not every mark of a full list moves all others. */
static void forget_oldest(struct marks *m, size_t n)
{
    m->n_mark -= n;
    memmove(m->mark, m->mark + n, m->n_mark * sizeof(*m->mark));
    m->since_wall_ms = m->n_mark > 0 ? time_of(m->mark[0]) : m->since_wall_ms;
}

void marks_add(struct marks *m, size_t most, int kind, int64_t wall_ms)
{
    if (wall_ms <= 0 || wall_ms > WALL_MOST_MS)
        return;
    marks_begin(m, wall_ms);
    if (m->n_mark >= most)
        forget_oldest(m, (most + 3) / 4);
    *ARRAY_ADD(m, mark) = wall_ms * MARK_KINDS + kind;
}

static int knows(const struct marks *m, int64_t from_ms, int64_t to_ms)
{
    return m->since_wall_ms > 0 && to_ms > m->since_wall_ms && to_ms > from_ms;
}

int64_t marks_count(const struct marks *m, int kind, int64_t from_ms, int64_t to_ms)
{
    int64_t count = 0;

    if (!knows(m, from_ms, to_ms))
        return -1;
    for (size_t i = 0; i < m->n_mark; i++)
        count += kind_of(m->mark[i]) == kind && time_of(m->mark[i]) >= from_ms &&
                 time_of(m->mark[i]) < to_ms;
    return count;
}

double marks_between_s(const struct marks *m, int enter, int leave, int64_t from_ms, int64_t to_ms)
{
    int64_t begin = -1, sum = 0;

    if (!knows(m, from_ms, to_ms))
        return NAN;
    for (size_t i = 0; i <= m->n_mark; i++) {
        int kind = i < m->n_mark ? kind_of(m->mark[i]) : leave;
        int64_t at = i < m->n_mark ? time_of(m->mark[i]) : to_ms;

        if (kind == enter && begin < 0) {
            begin = at > from_ms ? at : from_ms;
        } else if (kind == leave && begin >= 0) {
            int64_t end = at < to_ms ? at : to_ms;

            sum += end > begin ? end - begin : 0;
            begin = -1;
        }
    }
    return (double)sum / 1000;
}

int64_t marks_newest_ms(const struct marks *m, int kind)
{
    for (size_t i = m->n_mark; i-- > 0;)
        if (kind_of(m->mark[i]) == kind)
            return time_of(m->mark[i]);
    return 0;
}

char *marks_pack(const struct marks *m)
{
    struct strbuf b = STRBUF_INIT;
    int64_t before = m->since_wall_ms;

    strbuf_printf(&b, "%" PRId64, m->since_wall_ms);
    for (size_t i = 0; i < m->n_mark; i++) {
        int64_t later = time_of(m->mark[i]) - before; /* < 0: the clock was set back */

        strbuf_printf(&b, " %d%s%" PRIx64, kind_of(m->mark[i]), later < 0 ? "-" : "+",
                      later < 0 ? -later : later);
        before = time_of(m->mark[i]);
    }
    return strbuf_take(&b);
}

void marks_unpack(struct marks *m, size_t most, const char *text)
{
    char *end = NULL;
    int64_t at = text ? strtoll(text, &end, 10) : 0;

    if (at <= 0 || at > WALL_MOST_MS)
        return;
    marks_done(m);
    m->since_wall_ms = at;
    while (end[0] == ' ' && end[1] >= '0' && end[1] < '0' + MARK_KINDS) {
        int kind = end[1] - '0';
        int64_t later = strtoll(end + 2, &end, 16);

        if (later < -WALL_MOST_MS || later > WALL_MOST_MS)
            return;
        at += later;
        marks_add(m, most, kind, at);
    }
}
