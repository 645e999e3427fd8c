/* Recordings of other people's tools, which `simulate` reads. What is refused says why;
 * what is taken is ascending in time, and laid out it is amounts, known or told to nobody. */
#include <math.h>

#include "controller/simulate/history.h"
#include "controller/simulate/recording.h"
#include "tests/fuzz/fuzz.h"

#define WATTS 11

static void check_traces(const struct traces *t)
{
    for (size_t i = 0; i < t->n_traces; i++) {
        const struct trace *one = &t->traces[i];

        MUST(one->model[0] && strlen(one->model) < TRACE_NAME_MAX);
        for (size_t k = 0; k < one->n_points; k++) {
            MUST(isfinite(one->points[k].at_s));
            MUST(isnan(one->points[k].value) || one->points[k].value >= 0);
            MUST(k == 0 || one->points[k].at_s > one->points[k - 1].at_s);
        }
    }
}

static void try_trace(const char *text, const char *model, const char *label)
{
    struct traces t = { 0 };
    struct history h;
    struct err e = ERR_INIT;

    if (trace_read("file", text, model, label, &t, &e) < 0) {
        MUST(e.text[0]);
    } else {
        check_traces(&t);
        if (history_lay_out(&t, HISTORY_STEP_S, &h, &e) < 0) {
            MUST(e.text[0]);
        } else {
            for (size_t i = 0; i < (size_t)h.load.n_models * h.load.n_steps; i++)
                MUST(h.rate[i] >= 0);
            history_done(&h);
        }
    }
    traces_done(&t);
}

static void try_recording(const char *text)
{
    struct csv c = csv_begin("file", text);
    struct recording r = { 0 };
    double watts[WATTS];
    struct err e = ERR_INIT;

    if (csv_line(&c) && recording_read(&c, &r, &e) == 0 && recording_curve(&r, watts, &e) == 0)
        for (size_t i = 0; i < WATTS; i++)
            MUST(isfinite(watts[i]) && watts[i] >= 0 && (i == 0 || watts[i] >= watts[i - 1]));
    recording_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_trace(text, NULL, NULL);
    try_trace(text, "m", "model");
    try_recording(text);
    free(text);
    return 0;
}
