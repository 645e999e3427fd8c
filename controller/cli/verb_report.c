/* report: energy used, saved and by whom, over any window of time. */
#include <errno.h>

#include "controller/cli/moment.h"
#include "controller/cli/output.h"
#include "controller/cli/report.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/clock.h"

#define DEFAULT_WINDOW_MS 86400000ll

static int read_window(const struct cli *c, int64_t *from_ms, int64_t *to_ms, struct err *e)
{
    const char *from = options_get(&c->options, OPT_FROM), *to = options_get(&c->options, OPT_TO);
    const char *since = options_get(&c->options, OPT_SINCE);

    *to_ms = c->now_ms;
    if (since && from)
        return err_set(e, -EINVAL, "--since and --from say the same: give one of them");
    if (to && moment_parse(to, c->now_ms, to_ms, e) < 0)
        return err_prefix(e, -EINVAL, "--to");
    *from_ms = *to_ms - DEFAULT_WINDOW_MS;
    if (from && moment_parse(from, c->now_ms, from_ms, e) < 0)
        return err_prefix(e, -EINVAL, "--from");
    if (since && moment_parse(since, *to_ms, from_ms, e) < 0)
        return err_prefix(e, -EINVAL, "--since");
    return *from_ms < *to_ms ? 0 : err_set(e, -EINVAL, "the window ends before it begins");
}

static int get_report(struct cli *c, int64_t from_ms, int64_t to_ms, json_t **ret_report,
                      struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX];

    clock_format(from_ms, from);
    clock_format(to_ms, to);
    strbuf_printf(&path, "/report?from=%s&to=%s", from, to);
    return session_call(&c->session, "GET", strbuf_text(&path), NULL, ret_report, e);
}

static void write_as(struct strbuf *out, enum output_format format, const json_t *report,
                     const struct cli *c, bool colour)
{
    char made[CLOCK_TEXT_MAX];

    clock_format(c->now_ms, made);
    switch (format) {
    case OUTPUT_TABLE:
        report_table(out, report, colour);
        break;
    case OUTPUT_JSON:
        write_json(out, report);
        break;
    case OUTPUT_YAML:
        write_yaml(out, report);
        break;
    case OUTPUT_CSV:
        report_csv(out, report);
        break;
    case OUTPUT_HTML:
        report_html(out, report, made);
        break;
    }
}

int verb_report(struct cli *c)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    json_t *report = NULL;
    int64_t from_ms = 0, to_ms = 0;
    struct output to;

    if (output_choose(&c->options, OPT_FORMAT, &to, &e) < 0 ||
        read_window(c, &from_ms, &to_ms, &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (cli_connect(c))
        return EXIT_FAILED;
    if (get_report(c, from_ms, to_ms, &report, &e) < 0)
        return cli_fail(&e);
    write_as(&out, to.format, report, c, c->colour && !to.file);
    json_decref(report);
    return output_write(&to, &out, &e) < 0 ? cli_fail(&e) : EXIT_DONE;
}
