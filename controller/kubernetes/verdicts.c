#include "controller/kubernetes/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct entry {
    unsigned char hash[VERDICT_HASH_BYTES];
    char *asked; /* as one text */
    struct verdict said;
    int64_t end_ms;
};

struct verdicts {
    struct entry *entries;
    size_t n, most;
};

struct verdicts *verdicts_new(size_t most)
{
    struct verdicts *v = xcalloc(1, sizeof(*v));

    v->entries = xcalloc(most, sizeof(*v->entries));
    v->most = most;
    return v;
}

static void entry_done(struct entry *e)
{
    free(e->asked);
    free(e->said.user);
    free(e->said.why);
}

void verdicts_free(struct verdicts *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->n; i++)
        entry_done(&v->entries[i]);
    free(v->entries);
    free(v);
}

/* No part has a line break in it that another could be taken for: names of objects come from paths,
 * and are the last but one, behind words of our own tables. */
static void asked_text(const struct access_asked *a, struct strbuf *out)
{
    strbuf_printf(out, "%d\n%s\n%s\n%s\n%zu\n%s\n%s", a->identity, a->verb, a->resource, a->sub,
                  strlen(a->name), a->name, a->path);
}

static struct entry *find(const struct verdicts *v, const unsigned char *hash,
                          const struct access_asked *asked)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    asked_text(asked, &text);
    for (size_t i = 0; i < v->n; i++)
        if (memcmp(v->entries[i].hash, hash, VERDICT_HASH_BYTES) == 0 &&
            strcmp(v->entries[i].asked, strbuf_text(&text)) == 0)
            return &v->entries[i];
    return NULL;
}

const struct verdict *verdicts_find(const struct verdicts *v,
                                    const unsigned char hash[VERDICT_HASH_BYTES],
                                    const struct access_asked *asked, int64_t now_ms)
{
    const struct entry *e = find(v, hash, asked);

    return e && now_ms < e->end_ms ? &e->said : NULL;
}

/* A new one, or that which ends first. */
static struct entry *room(struct verdicts *v)
{
    struct entry *first = &v->entries[0];

    if (v->n < v->most)
        return &v->entries[v->n++];
    for (size_t i = 1; i < v->n; i++)
        if (v->entries[i].end_ms < first->end_ms)
            first = &v->entries[i];
    return first;
}

void verdicts_keep(struct verdicts *v, const unsigned char hash[VERDICT_HASH_BYTES],
                   const struct access_asked *asked, const struct verdict *said, int64_t now_ms,
                   int64_t for_ms)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct entry *e = find(v, hash, asked);

    if (!e)
        e = room(v);
    asked_text(asked, &text);
    entry_done(e);
    memcpy(e->hash, hash, VERDICT_HASH_BYTES);
    e->asked = xstrdup(strbuf_text(&text));
    e->said = (struct verdict){ said->status, xstrdup(said->user), xstrdup(said->why) };
    e->end_ms = now_ms + for_ms;
}
