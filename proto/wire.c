/* What report and reply share: names of enums, the bounded arena, checks of single fields. */
#include "proto/wire.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/utf8.h"
#include "proto/wire_private.h"

#define BLOCK_BYTES 16384u
#define ALIGNMENT 16u

static const char *const PROVENANCE[] = { "unspecified", "measured", "estimated", "ambiguous",
                                          "unavailable" };
static const char *const ZONE_KIND[] = { "unspecified", "package", "core", "uncore",
                                         "dram",        "psys",    "gpu",  "platform" };
static const char *const REPLICA_PHASE[] = { "unspecified", "starting", "ready",  "unready",
                                             "draining",    "backoff",  "failed", "exited" };
static const char *const POWER_STAGE[] = { "none", "ready", "refused", "bye", "aborted" };

static const char *word(const char *const *words, size_t n, unsigned i)
{
    return words[i < n ? i : 0];
}

const char *provenance_name(enum provenance p)
{
    return word(PROVENANCE, ARRAY_LEN(PROVENANCE), p);
}

const char *zone_kind_name(enum zone_kind k)
{
    return word(ZONE_KIND, ARRAY_LEN(ZONE_KIND), k);
}

const char *replica_phase_name(enum replica_phase p)
{
    return word(REPLICA_PHASE, ARRAY_LEN(REPLICA_PHASE), p);
}

const char *power_stage_name(enum power_stage s)
{
    return word(POWER_STAGE, ARRAY_LEN(POWER_STAGE), s);
}

/* --- arena -------------------------------------------------------------------------------------
 */

struct arena_block {
    struct arena_block *next;
    size_t size;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

static void *allocator_alloc(void *data, size_t size)
{
    return arena_alloc(data, size);
}

static void allocator_free(void *data, void *p)
{
    (void)data; /* all at once, in arena_done() */
    (void)p;
}

void arena_init(struct arena *a, size_t budget)
{
    *a = (struct arena){ .budget = budget };
    a->allocator = (ProtobufCAllocator){ allocator_alloc, allocator_free, a };
}

void arena_done(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *next = a->blocks->next;

        free(a->blocks);
        a->blocks = next;
    }
    a->left = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct arena_block *b;

    if (size > a->budget)
        return NULL;
    size = (size + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* never 0: NULL means failure */
    if (size > a->left) {
        size_t bytes = size > BLOCK_BYTES ? size : BLOCK_BYTES;

        if (bytes > a->budget || !(b = malloc(sizeof(*b) + bytes)))
            return NULL;
        a->budget -= bytes;
        *b = (struct arena_block){ .next = a->blocks, .size = bytes };
        a->blocks = b;
        a->left = bytes;
    }
    a->left -= size;
    return a->blocks->bytes + (a->blocks->size - a->left - size);
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    void *p = n > a->budget / size ? NULL : arena_alloc(a, n * size);

    return p ? memset(p, 0, n * size) : NULL;
}

/* --- checks ------------------------------------------------------------------------------------
 */

static int check_string(const char *text, const char *field, size_t most, bool lines, struct err *e)
{
    const unsigned char *s = (const unsigned char *)text_or_empty(text);
    size_t n = 0;

    while (s[n]) {
        size_t k = s[n] < 0x80 ? 1 : utf8_length(s + n); /* most bytes by far */

        if (!k)
            return err_set(e, -EBADMSG, "%s: not valid UTF-8 at byte %zu", field, n);
        if ((s[n] < 0x20 && !(lines && (s[n] == '\n' || s[n] == '\t'))) || s[n] == 0x7f)
            return err_set(e, -EBADMSG, "%s: control byte 0x%02x", field, s[n]);
        n += k;
        if (n > most)
            return err_set(e, -EBADMSG, "%s: longer than %zu bytes", field, most);
    }
    return 0;
}

int check_below(struct err *e, int code, const char *format, ...)
{
    char front[64];
    struct err rest;
    va_list ap;

    if (!e)
        return code;
    rest = *e;
    va_start(ap, format);
    (void)vsnprintf(front, sizeof(front), format, ap);
    va_end(ap);
    /* ": ..." is said of an entry of a list itself */
    return err_set(e, code, "%s%s%s", front, rest.text[0] == ':' ? "" : ".", rest.text);
}

int check_name(const char *text, const char *field, struct err *e)
{
    return check_string(text, field, WIRE_NAME_MAX, false, e);
}

int check_required(const char *text, const char *field, struct err *e)
{
    if (!text_or_empty(text)[0])
        return err_set(e, -EBADMSG, "%s: missing", field);
    return check_name(text, field, e);
}

int check_text(const char *text, const char *field, struct err *e)
{
    return check_string(text, field, WIRE_TEXT_MAX, true, e);
}

int check_names(const char *const *list, size_t n, const char *field, struct err *e)
{
    int r = check_count(n, WIRE_LIST_MAX, field, e);

    for (size_t i = 0; i < n && r == 0; i++) {
        if ((r = check_text(list[i], "", e)) < 0)
            return check_below(e, r, "%s[%zu]", field, i);
    }
    return r;
}

int check_pairs(const struct wire_pair *list, size_t n, const char *field, struct err *e)
{
    int r = check_count(n, WIRE_LIST_MAX, field, e);

    for (size_t i = 0; i < n && r == 0; i++) {
        if ((r = check_required(list[i].key, "key", e)) < 0 ||
            (r = check_text(list[i].value, "value", e)) < 0)
            return check_below(e, r, "%s[%zu]", field, i);
    }
    return r;
}

int check_count(size_t n, size_t most, const char *field, struct err *e)
{
    return n <= most ? 0 : err_set(e, -EBADMSG, "%s: %zu entries, at most %zu", field, n, most);
}

int check_range(uint64_t value, uint64_t most, const char *field, struct err *e)
{
    return value <= most ? 0
                         : err_set(e, -EBADMSG, "%s: %llu, at most %llu", field,
                                   (unsigned long long)value, (unsigned long long)most);
}

int check_moment(int64_t ms, const char *field, struct err *e)
{
    return ms >= 0 && ms <= WIRE_MOMENT_MAX_MS
               ? 0
               : err_set(e, -EBADMSG, "%s: %lld, expected 0 to %lld", field, (long long)ms,
                         (long long)WIRE_MOMENT_MAX_MS);
}

int check_amount(double value, const char *field, struct err *e)
{
    return isfinite(value) && value >= 0
               ? 0
               : err_set(e, -EBADMSG, "%s: not a finite number of at least 0", field);
}
