/* version: of this program, and of the server when it answers. */
#include <string.h>

#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"

int verb_version(struct cli *c)
{
    const char *format = options_get(&c->options, OPT_OUTPUT);
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *server = NULL, *both;
    struct err e = ERR_INIT;
    int r;

    if (format && strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0 &&
        strcmp(format, "table") != 0)
        return cli_usage(c, "version: format \"%.40s\"; there are table, json, yaml", format);
    if (cli_connect(c))
        return EXIT_FAILED;
    r = session_call(&c->session, "GET", "/version", NULL, &server, &e);
    if (format && strcmp(format, "table") != 0) {
        both = json_pack("{s:s, s:o}", "client", HUDDLE_VERSION, "server",
                         server ? server : json_null());
        (strcmp(format, "json") == 0 ? write_json : write_yaml)(&out, both);
        json_decref(both);
    } else {
        const char *version = look_text(server, "gitVersion"); /* as Kubernetes names it */

        strbuf_puts(&out, "Client: " HUDDLE_VERSION "\n");
        if (r == 0) {
            strbuf_puts(&out, "Server: ");
            text_safe(&out, version ? version + (*version == 'v') : "unknown");
            strbuf_putc(&out, '\n');
        }
        json_decref(server);
    }
    cli_print(&out);
    return r < 0 ? cli_fail(&e) : EXIT_DONE;
}
