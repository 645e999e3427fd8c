#include "controller/kubernetes/finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"

void findings_add(struct findings *f, enum severity severity, const char *code, const char *kind,
                  const char *namespace, const char *name, char *what, char *derived,
                  const char *way_out)
{
    *(struct finding *)ARRAY_ADD(f, item) = (struct finding){
        severity, code, kind, xstrdup(namespace), xstrdup(name), what, derived, way_out,
    };
}

char *finding_text(const char *format, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;

    va_start(ap, format);
    strbuf_vprintf(&text, format, ap);
    va_end(ap);
    return strbuf_take(&text);
}

static int by_weight(const void *a, const void *b)
{
    const struct finding *x = a, *y = b;
    int r = (int)x->severity - (int)y->severity;

    if (!r)
        r = strcmp(x->code, y->code);
    if (!r)
        r = strcmp(x->namespace, y->namespace);
    if (!r)
        r = strcmp(x->name, y->name);
    return r ? r : strcmp(x->what, y->what);
}

void findings_sort(struct findings *f)
{
    if (f->n_item)
        qsort(f->item, f->n_item, sizeof(*f->item), by_weight);
}

size_t findings_count(const struct findings *f, enum severity severity)
{
    size_t n = 0;

    ARRAY_FOREACH(i, f, item)
        n += i->severity == severity;
    return n;
}

const char *severity_name(enum severity s)
{
    static const char *const NAME[] = { "hurts", "stops", "note" };

    return NAME[s];
}

json_t *findings_to_json(const struct findings *f)
{
    json_t *list = json_array();

    ARRAY_FOREACH(i, f, item)
        json_array_append_new(list, json_pack("{s:s, s:s, s:{s:s, s:s, s:s}, s:s, s:s, s:s}",
                                              "severity", severity_name(i->severity), "code",
                                              i->code, "object", "kind", i->kind, "namespace",
                                              i->namespace, "name", i->name, "what", i->what,
                                              "derived", i->derived, "wayOut", i->way_out));
    return list;
}

void findings_done(struct findings *f)
{
    ARRAY_FOREACH(i, f, item) {
        free(i->namespace);
        free(i->name);
        free(i->what);
        free(i->derived);
    }
    free(f->item);
    *f = (struct findings){ 0 };
}
