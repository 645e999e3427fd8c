/* report: energy used, saved and by whom, over any window of time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/moment.h"
#include "controller/cli/report.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/quantity.h"

#define DEFAULT_WINDOW_MS 86400000ll

static const char *const FORMATS[] = { "table", "json", "yaml", "csv", "html" };

/* From -o; or from the ending of the file; or a table. */
static const char *choose_format(const char *asked, const char *file)
{
    const char *dot = file ? strrchr(file, '.') : NULL;

    if (!asked && dot)
        asked = strcmp(dot, ".htm") == 0 ? "html" : strcmp(dot, ".yml") == 0 ? "yaml" : dot + 1;
    for (size_t i = 0; asked && i < ARRAY_LEN(FORMATS); i++)
        if (strcmp(FORMATS[i], asked) == 0)
            return FORMATS[i];
    return asked && !(dot && asked == dot + 1) ? NULL : "table";
}

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

static void write_as(struct strbuf *out, const char *format, const json_t *report,
                     const struct cli *c, bool colour)
{
    char made[CLOCK_TEXT_MAX];

    clock_format(c->now_ms, made);
    if (strcmp(format, "json") == 0)
        write_json(out, report);
    else if (strcmp(format, "yaml") == 0)
        write_yaml(out, report);
    else if (strcmp(format, "csv") == 0)
        report_csv(out, report);
    else if (strcmp(format, "html") == 0)
        report_html(out, report, made);
    else
        report_table(out, report, colour);
}

static int write_file(const char *file, const struct strbuf *text, struct err *e)
{
    FILE *f = fopen(file, "we");
    bool written = f && fputs(strbuf_text(text), f) >= 0;

    if (f && fclose(f) != 0)
        written = false;
    return written ? 0 : err_errno(e, errno ? -errno : -EIO, "%s", file);
}

int verb_report(struct cli *c)
{
    const char *file = options_get(&c->options, OPT_OUTPUT_FILE);
    const char *asked = options_get(&c->options, OPT_FORMAT), *format;
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    struct err e = ERR_INIT;
    json_t *report = NULL;
    int64_t from_ms = 0, to_ms = 0;

    format = choose_format(asked, file);
    if (!format)
        return cli_usage(c, "unknown format \"%.40s\"; there are table, json, yaml, csv, html",
                         asked);
    if (read_window(c, &from_ms, &to_ms, &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (cli_connect(c))
        return EXIT_FAILED;
    if (get_report(c, from_ms, to_ms, &report, &e) < 0)
        return cli_fail(&e);
    write_as(&out, format, report, c, c->colour && !file);
    json_decref(report);
    if (file && write_file(file, &out, &e) < 0)
        return cli_fail(&e);
    if (!file)
        cli_print(&out);
    return EXIT_DONE;
}
