/* version: of this program, and of the server when it answers; a warning when the token that it
 * was asked with expires soon. */
#include <stdio.h>
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/clock.h"

#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)

/* Of the server: what it says, or an error. */
static int ask_server(struct cli *c, json_t **ret_server, struct err *e)
{
    int r = cli_open_session(c, e);

    return r < 0 ? r : session_call(&c->session, "GET", "/version", NULL, ret_server, e);
}

static void add_text(struct strbuf *out, const json_t *server)
{
    const char *version = look_text(server, "gitVersion"); /* as Kubernetes names it */

    strbuf_puts(out, "Client: " HUDDLE_VERSION "\n");
    if (!server)
        return;
    strbuf_puts(out, "Server: ");
    text_safe(out, version ? version + (*version == 'v') : "unknown");
    strbuf_putc(out, '\n');
}

/* On standard error, so that what reads the version is not disturbed. */
static void warn_of_expiry(const json_t *server)
{
    const json_t *token = json_object_get(server, "token");
    const char *name = look_text(token, "name"), *expires = look_text(token, "expires");
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    int64_t wall_ms, left_ms;

    if (!name || !expires || clock_parse(expires, &wall_ms) < 0)
        return;
    left_ms = wall_ms - clock_wall_ms();
    if (left_ms >= 7 * DAY_MS)
        return;
    strbuf_puts(&text, "warning: token ");
    text_safe(&text, name);
    strbuf_printf(&text, " expires in %lld %s (",
                  (long long)(left_ms >= 2 * DAY_MS ? left_ms / DAY_MS : left_ms / HOUR_MS),
                  left_ms >= 2 * DAY_MS ? "days" : "hours");
    text_safe(&text, expires);
    strbuf_puts(&text, "): ask for a new one");
    (void)fprintf(stderr, "%s\n", strbuf_text(&text));
}

int verb_version(struct cli *c)
{
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *server = NULL, *both;
    struct err e = ERR_INIT;
    int r = 0;

    if (format && strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0 &&
        strcmp(format, "table") != 0)
        return cli_usage(c, "version: format \"%.40s\"; there are table, json, yaml", format);
    if (!options_on(&c->options, OPT_CLIENT))
        r = ask_server(c, &server, &e);
    if (format && strcmp(format, "table") != 0) {
        both = json_pack("{s:s, s:O}", "client", HUDDLE_VERSION, "server",
                         server ? server : json_null());
        (strcmp(format, "json") == 0 ? write_json : write_yaml)(&out, both);
        json_decref(both);
    } else {
        add_text(&out, server);
    }
    cli_print(&out);
    warn_of_expiry(server);
    json_decref(server);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}
