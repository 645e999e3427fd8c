/* See simulation_request.h. */
#include "controller/cli/simulation_request.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "controller/cli/moment.h"
#include "proto/base/array.h"
#include "proto/quantity.h"

#define NODES_MOST 10000.0
#define SEED_USUAL 1.0
#define SEED_MOST 9007199254740992.0 /* 2^53: whole numbers that a double tells apart */
#define STEP_LEAST_MS ((int64_t)(1000 * HISTORY_STEP_LEAST_S))
#define STEP_MOST_MS INT64_C(3600000)
#define RANGE_USUAL_MS INT64_C(604800000)
#define QUERY_STEP_MS INT64_C(60000)

/* --- values -------------------------------------------------------------------------------------
 */

static int read_number(const struct cli *c, enum option_id id, double least, double most,
                       double *ret, struct err *e)
{
    const char *text = options_get(&c->options, id);
    char *end;
    double v;

    if (!text)
        return 0;
    v = strtod(text, &end);
    if (end == text || *end || !(v >= least && v <= most))
        return err_set(e, -EINVAL, "--%s: \"%.40s\" is no number from %g to %.17g",
                       option_of(id)->name, text, least, most);
    *ret = v;
    return 0;
}

static int read_share(const struct cli *c, enum option_id id, double *ret, struct err *e)
{
    const char *text = options_get(&c->options, id);

    if (text && quantity_share(text, ret, e) < 0)
        return err_prefix(e, -EINVAL, "--%s", option_of(id)->name);
    return 0;
}

static int read_duration(const struct cli *c, enum option_id id, int64_t least_ms, int64_t most_ms,
                         int64_t *ret_ms, struct err *e)
{
    const char *text = options_get(&c->options, id);
    int64_t ms = 0;

    if (!text)
        return 0;
    if (quantity_duration(text, &ms, e) < 0)
        return err_prefix(e, -EINVAL, "--%s", option_of(id)->name);
    if (ms < least_ms || ms > most_ms)
        return err_set(e, -EINVAL, "--%s: \"%.40s\" is not from %llds to %llds",
                       option_of(id)->name, text, (long long)(least_ms / 1000),
                       (long long)(most_ms / 1000));
    *ret_ms = ms;
    return 0;
}

typedef int read_fn(const char *text, void *to, struct err *e);

static int read_size(const char *text, void *to, struct err *e)
{
    return simulation_read_size(text, to, e);
}

static int read_watts(const char *text, void *to, struct err *e)
{
    return simulation_read_watts(text, to, e);
}

static int read_boot(const char *text, void *to, struct err *e)
{
    return simulation_read_boot(text, to, e);
}

static int read_shutdown(const char *text, void *to, struct err *e)
{
    return simulation_read_shutdown(text, to, e);
}

static int read_load(const char *text, void *to, struct err *e)
{
    return simulation_read_load(text, to, e);
}

static int read_rate(const char *text, void *to, struct err *e)
{
    return simulation_rate_read(text, to, e);
}

static int read_words(const struct cli *c, struct simulation_request *q, struct err *e)
{
    const struct {
        enum option_id id;
        read_fn *read;
        void *to;
    } words[] = {
        { OPT_SIZE, read_size, &q->node },
        { OPT_WATTS, read_watts, &q->node },
        { OPT_BOOT, read_boot, &q->chance },
        { OPT_SHUTDOWN, read_shutdown, &q->chance },
        { OPT_LOAD, read_load, &q->chance },
        { OPT_PRICE, read_rate, &q->rates[GRID_PRICE] },
        { OPT_CARBON, read_rate, &q->rates[GRID_CARBON] },
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const char *text = options_get(&c->options, words[i].id);

        if (text && words[i].read(text, words[i].to, e) < 0)
            return err_prefix(e, -EINVAL, "--%s", option_of(words[i].id)->name);
    }
    return 0;
}

/* --- Prometheus ---------------------------------------------------------------------------------
 */

static void name_presets(struct strbuf *out)
{
    for (const struct prometheus_preset *p = prometheus_presets(); p->name; p++)
        strbuf_printf(out, "%s%s", out->length ? ", " : "", p->name);
}

static int choose_query(const struct cli *c, struct simulation_request *q, struct err *e)
{
    const char *preset = options_get(&c->options, OPT_PRESET);
    const struct prometheus_preset *p = preset ? prometheus_preset_find(preset) : NULL;
    AUTO(strbuf) struct strbuf names = STRBUF_INIT;

    name_presets(&names);
    if (preset && q->query)
        return err_set(e, -EINVAL, "--preset and --query say the same: give one of them");
    if (!preset && !q->query)
        return err_set(e, -EINVAL, "--prometheus needs --preset (%s) or --query PROMQL",
                       strbuf_text(&names));
    if (preset && !p)
        return err_set(e, -EINVAL, "--preset: unknown \"%.40s\"; there are %s", preset,
                       strbuf_text(&names));
    if (p) {
        q->query = p->query;
        q->label = q->label ? q->label : p->label;
    }
    return 0;
}

static int read_moment(const struct cli *c, enum option_id id, int64_t *ret_ms, struct err *e)
{
    const char *text = options_get(&c->options, id);

    if (text && moment_parse(text, c->now_ms, ret_ms, e) < 0)
        return err_prefix(e, -EINVAL, "--%s", option_of(id)->name);
    return 0;
}

static int read_prometheus(const struct cli *c, struct simulation_request *q, struct err *e)
{
    static const enum option_id only[] = { OPT_USER,  OPT_PRESET, OPT_QUERY,
                                           OPT_START, OPT_END,    OPT_STEP };

    q->label = options_get(&c->options, OPT_LABEL);
    q->query = options_get(&c->options, OPT_QUERY);
    q->url = options_get(&c->options, OPT_PROMETHEUS);
    for (size_t i = 0; !q->url && i < ARRAY_LEN(only); i++)
        if (options_get(&c->options, only[i]))
            return err_set(e, -EINVAL, "--%s goes with --prometheus", option_of(only[i])->name);
    if (!q->url)
        return 0;
    q->range = (struct prometheus_range){ .end_ms = c->now_ms, .step_ms = QUERY_STEP_MS };
    if (choose_query(c, q, e) < 0 || read_moment(c, OPT_END, &q->range.end_ms, e) < 0)
        return -EINVAL;
    q->range.start_ms = q->range.end_ms - RANGE_USUAL_MS;
    if (read_moment(c, OPT_START, &q->range.start_ms, e) < 0 ||
        read_duration(c, OPT_STEP, 1000, 24 * STEP_MOST_MS, &q->range.step_ms, e) < 0)
        return -EINVAL;
    if (q->range.start_ms + q->range.step_ms > q->range.end_ms)
        return err_set(e, -EINVAL, "--start is not before --end by a step or more");
    return 0;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static int check_needed(const struct cli *c, struct err *e)
{
    static const enum option_id needed[] = { OPT_FILENAME, OPT_NODES, OPT_SIZE };

    if (!options_get(&c->options, OPT_HISTORY) && !options_get(&c->options, OPT_PROMETHEUS))
        return err_set(e, -EINVAL,
                       "--history FILE or --prometheus URL is needed: where is demand recorded?");
    for (size_t i = 0; i < ARRAY_LEN(needed); i++)
        if (!options_get(&c->options, needed[i]))
            return err_set(e, -EINVAL, "--%s %s is needed: %s", option_of(needed[i])->name,
                           option_of(needed[i])->value, option_of(needed[i])->help);
    if (c->options.n_operands && !options_get(&c->options, OPT_COMPARE))
        return err_set(e, -EINVAL, "\"%.60s\" is too much; files to compare follow --compare",
                       c->options.operands[0]);
    return 0;
}

int simulation_request_read(const struct cli *c, struct simulation_request *ret, struct err *e)
{
    int64_t step_ms = 0; /* the history's own */
    struct simulation_request q = { .rates = { { NULL, NAN }, { NULL, NAN } },
                                    .chance = simulation_chance_usual(),
                                    .seed = SEED_USUAL };

    if (check_needed(c, e) < 0 || output_choose(&c->options, OPT_FORMAT_PAGE, &q.output, e) < 0 ||
        read_words(c, &q, e) < 0 || read_prometheus(c, &q, e) < 0 ||
        read_number(c, OPT_NODES, 2, NODES_MOST, &q.nodes, e) < 0 ||
        read_share(c, OPT_BOOT_FAILURES, &q.chance.boot_failures, e) < 0 ||
        read_share(c, OPT_METER_NOISE, &q.chance.meter_noise, e) < 0 ||
        read_duration(c, OPT_RESOLUTION, STEP_LEAST_MS, STEP_MOST_MS, &step_ms, e) < 0 ||
        read_number(c, OPT_SEED, 0, SEED_MOST, &q.seed, e) < 0)
        return -EINVAL;
    q.step_s = (double)step_ms / 1000;
    *ret = q;
    return 0;
}
