/* What Prometheus answers to a range query ("matrix" of /api/v1/query_range): series with labels,
 * of which one names the model, and values in req/s as text. Answers to parts of one range are
 * joined by their labels. See trace.h. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/simulate/trace.h"
#include "proto/base/random.h"

/* The series of an earlier part, or a new one. */
static struct trace *series(struct traces *t, const char *model, const json_t *labels)
{
    char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t id = random_hash(text ? text : "");
    struct trace *x = trace_add(t, model);

    free(text);
    for (size_t i = 0; i + 1 < t->n_traces; i++)
        if (t->traces[i].series == id && strcmp(t->traces[i].model, x->model) == 0) {
            t->n_traces--; /* it holds nothing yet */
            return &t->traces[i];
        }
    x->series = id;
    x->partial = true;
    return x;
}

/* The value of the label, or of the only one; NULL with the reason in e. */
static const char *name_of(const json_t *labels, const char *label, struct err *e)
{
    const char *name = label ? json_string_value(json_object_get(labels, label)) : NULL, *key;
    const char *held = "";
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)(uintptr_t)labels, key, value) {
        if (strcmp(key, "__name__") == 0)
            continue;
        held = key;
        n++;
        if (!label)
            name = json_string_value(value);
    }
    if (name && *name && (label || n == 1))
        return name;
    if (label)
        (void)err_set(e, -EINVAL,
                      "a series without the label \"%.60s\"%s%.60s; --label names the one "
                      "that tells models apart",
                      label, n ? "; it has " : "", held);
    else
        (void)err_set(
            e, -EINVAL,
            n ? "series have several labels, like \"%.60s\": name with --label the one "
                "that tells models apart"
              : "a series without labels%.0s: say whose it is with MODEL=FILE, or ask for "
                "\"sum by (LABEL) (...)\"",
            held);
    return NULL;
}

static int read_values(struct trace *x, const json_t *values, double behind_s, struct err *e)
{
    size_t i;
    json_t *pair;

    json_array_foreach((json_t *)(uintptr_t)values, i, pair) {
        const json_t *at = json_array_get(pair, 0);
        const char *text = json_string_value(json_array_get(pair, 1));
        double value;
        char *end;

        if (!json_is_number(at) || !text)
            return err_set(e, -EINVAL, "value %zu of a series is no [seconds, \"number\"]", i);
        value = strtod(text, &end);
        if (end == text || *end)
            return err_set(e, -EINVAL, "\"%.40s\" of a series is no number", text);
        if (value < 0)
            return err_set(e, -EINVAL, "a demand of %.40s; expected req/s, not negative", text);
        if (trace_point(x, json_number_value(at) - behind_s, isfinite(value) ? value : NAN, e) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_result(const json_t *answer, const char *model, const char *label, double behind_s,
                       struct traces *t, struct err *e)
{
    const json_t *data = json_object_get(answer, "data");
    const char *type = json_string_value(json_object_get(data, "resultType"));
    const json_t *result = json_object_get(data, "result");
    const char *error = json_string_value(json_object_get(answer, "error"));
    size_t i;
    json_t *item;
    int r = 0;

    if (error)
        return err_set(e, -EINVAL, "Prometheus said: %.300s", error);
    if (!type || strcmp(type, "matrix") != 0 || !json_is_array(result))
        return err_set(e, -EINVAL,
                       "expected what /api/v1/query_range answers: {\"data\": {\"resultType\": "
                       "\"matrix\", \"result\": [...]}}");
    json_array_foreach((json_t *)(uintptr_t)result, i, item) {
        const json_t *labels = json_object_get(item, "metric");
        const char *name = model ? model : name_of(labels, label, e);

        if (!name)
            return -EINVAL;
        r = read_values(series(t, name, labels), json_object_get(item, "values"), behind_s, e);
        if (r < 0)
            return r;
    }
    return 0;
}

int trace_read_matrix(const char *file, const char *text, const char *model, const char *label,
                      double behind_s, struct traces *t, struct err *e)
{
    json_error_t where;
    json_t *answer = json_loads(text, 0, &where);
    int r;

    if (!answer)
        return err_set(e, -EINVAL, "%s:%d: %.100s", file, where.line, where.text);
    r = read_result(answer, model, label, behind_s, t, e);
    json_decref(answer);
    return r < 0 ? err_prefix(e, r, "%s", file) : 0;
}
