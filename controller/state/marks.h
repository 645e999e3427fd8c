/* Moments of a few kinds (fell asleep, woke, moved) in bounded memory, so that a report counts them
 * in any window exactly. Beyond `most` the oldest are forgotten and `since_wall_ms` moves up. Plain
 * data; zero-initialised is empty, and knows of no time. */
#ifndef HUDDLE_MARKS_H
#define HUDDLE_MARKS_H

#include <stddef.h>
#include <stdint.h>

#define MARK_KINDS 4 /* 0..3 */

struct marks {
    int64_t *mark; /* wall_ms * MARK_KINDS + kind, in the order in which they came */
    size_t n_mark, cap_mark;
    int64_t since_wall_ms; /* all since then are kept; 0: nothing was ever recorded */
};

void marks_done(struct marks *m);

/* Recording begins: from now on "no mark" means that nothing happened. Once. */
void marks_begin(struct marks *m, int64_t wall_ms);

void marks_add(struct marks *m, size_t most, int kind, int64_t wall_ms);

/* Marks of a kind in [from_ms, to_ms); -1: nothing was recorded of that time. */
int64_t marks_count(const struct marks *m, int kind, int64_t from_ms, int64_t to_ms);

/* Seconds of [from_ms, to_ms) that lie between a mark `enter` and the next mark `leave`; an
 * interval that was not left yet lasts. NAN: nothing was recorded of that time. */
double marks_between_s(const struct marks *m, int enter, int leave, int64_t from_ms, int64_t to_ms);

/* When the newest mark of the kind was; 0: there is none. */
int64_t marks_newest_ms(const struct marks *m, int kind);

/* As text for the store, and back (at most the newest `most`). */
char *marks_pack(const struct marks *m); /* heap */
void marks_unpack(struct marks *m, size_t most, const char *text);

#endif
