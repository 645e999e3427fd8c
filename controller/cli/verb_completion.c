/* completion: the script for a shell; and __complete, which such a script calls. */
#include <string.h>

#include "controller/cli/completion.h"
#include "controller/cli/listing.h"
#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "controller/cli/verb.h"

#define NAMES_MAX 500

int verb_completion(struct cli *c)
{
    const char *script = completion_script(c->options.operands[0]);

    if (!script)
        return cli_usage(c, "no completion for \"%.40s\"; there are bash, zsh, fish",
                         c->options.operands[0]);
    (void)fputs(script, stdout);
    return EXIT_DONE;
}

static void offer_names(void *data, const char *plural, const char *prefix, struct strbuf *out)
{
    struct cli *c = data;
    struct err e = ERR_INIT;
    json_t *list = NULL;
    const json_t *items;

    if (cli_open_session(c, &e) < 0)
        return;
    c->session.total_ms = 1000; /* a person waits at a prompt */
    if (listing_get(&c->session, kind_find(plural, &e), NULL, &list, &e) < 0)
        return;
    items = look(list, "items");
    for (size_t i = 0; i < json_array_size(items) && i < NAMES_MAX; i++) {
        AUTO(strbuf) struct strbuf safe = STRBUF_INIT;

        text_safe(&safe, look_name(json_array_get(items, i)));
        completion_offer(out, "", strbuf_text(&safe), prefix);
    }
    json_decref(list);
}

int verb_complete(struct cli *c)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    completion_candidates(&out, c->options.operands, c->options.n_operands, offer_names, c);
    cli_print(&out);
    return EXIT_DONE;
}
