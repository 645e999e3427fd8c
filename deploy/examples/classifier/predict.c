/* Reading rows and writing probabilities: see predict.h. */
#include "deploy/examples/classifier/predict.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

DEFINE_AUTO(json, json_t *, json_decref);

static int row_read(const json_t *row, float x[NETWORK_INPUTS], struct err *e)
{
    if (!json_is_array(row) || json_array_size(row) != NETWORK_INPUTS)
        return err_set(e, -EBADMSG, "expected an array of %u numbers", NETWORK_INPUTS);
    for (size_t i = 0; i < NETWORK_INPUTS; i++) {
        const json_t *value = json_array_get(row, i);

        x[i] = (float)json_number_value(value);
        if (!json_is_number(value) || !isfinite(x[i]))
            return err_set(e, -EBADMSG, "[%zu]: expected a number of single precision", i);
    }
    return 0;
}

static int answer_rows(struct network *n, const json_t *rows, struct strbuf *out, struct err *e)
{
    float x[NETWORK_INPUTS];

    for (size_t i = 0; i < json_array_size(rows); i++) {
        int r = row_read(json_array_get(rows, i), x, e);

        if (r < 0)
            return err_prefix(e, r, "[%zu]", i);
        strbuf_printf(out, "%s%.17g", i ? "," : "", network_predict(n, x));
    }
    return 0;
}

int predict_answer(struct network *n, const char *body, size_t length, struct strbuf *out,
                   struct err *e)
{
    json_error_t where;
    AUTO(json) json_t *doc = json_loadb(body, length, JSON_REJECT_DUPLICATES, &where);
    float x[NETWORK_INPUTS];
    int r;

    if (!doc)
        return err_set(e, -EBADMSG, "%d:%d: %s", where.line, where.column, where.text);
    if (!json_is_array(doc) || json_array_size(doc) == 0)
        return err_set(e, -EBADMSG, "expected an array");
    strbuf_puts(out, "{\"probability\":[");
    if (json_is_array(json_array_get(doc, 0))) {
        if (json_array_size(doc) > PREDICT_ROWS_MAX)
            return err_set(e, -EBADMSG, "more than %u rows", PREDICT_ROWS_MAX);
        r = answer_rows(n, doc, out, e);
    } else {
        r = row_read(doc, x, e);
        if (r == 0)
            strbuf_printf(out, "%.17g", network_predict(n, x));
    }
    strbuf_puts(out, "]}\n");
    return r;
}
