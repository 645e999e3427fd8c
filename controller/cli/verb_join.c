/* token join and node revoke: who may come in by a certificate. They write into the folder of the
 * doors, which the controller reads at every request. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/verb.h"
#include "controller/pki/authority.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "controller/pki/roster.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/certificate.h"
#include "proto/quantity.h"

#define PORT 7443 /* of the default listener */

static const char *pki_of(const struct cli *c)
{
    const char *dir = options_get(&c->options, OPT_PKI);

    return dir ? dir : PKI_FOLDER_DEFAULT;
}

static int choose_uses(const struct cli *c, struct join_token *t, struct err *e)
{
    const char *text = options_get(&c->options, OPT_USES);
    char *end;

    t->uses = text ? strtol(text, &end, 10) : 1;
    if (text && (end == text || *end || t->uses < 1 || t->uses > JOIN_TOKEN_USES_MOST))
        return err_set(e, -EINVAL, "--uses: expected 1 to %d, not \"%.60s\"", JOIN_TOKEN_USES_MOST,
                       text);
    return 0;
}

static int choose_rest(const struct cli *c, struct join_token *t, struct err *e)
{
    const char *expires = options_get(&c->options, OPT_JOIN_EXPIRES);
    const char *from = options_get(&c->options, OPT_NETWORK);
    int64_t life_ms = JOIN_TOKEN_LIFE_MS;

    if (expires && (quantity_duration(expires, &life_ms, NULL) < 0 || life_ms <= 0 ||
                    life_ms > 7 * AUTHORITY_DAY_MS))
        return err_set(e, -EINVAL, "--expires: expected a time up to 7d, like 1h, not \"%.60s\"",
                       expires);
    if (from && !join_token_is_network(from))
        return err_set(e, -EINVAL, "--from: expected a network like 192.0.2.0/24, not \"%.60s\"",
                       from);
    t->expires_ms = clock_wall_ms() + life_ms;
    (void)snprintf(t->from, sizeof(t->from), "%s", from ? from : "");
    t->replace = options_on(&c->options, OPT_REPLACE);
    return 0;
}

/* Where nodes find the controller: what was said, or the first name of its certificate. */
static int add_server(struct strbuf *out, const struct cli *c, struct err *e)
{
    const char *given = options_get(&c->options, OPT_SERVER);
    AUTO(mem) char *text = NULL;
    char **names;
    size_t n;
    int r;

    if (given) {
        strbuf_puts(out, given);
        return 0;
    }
    if ((r = pki_read(pki_of(c), PKI_SERVER, &text, e)) < 0 ||
        (r = authority_server_names(text, &names, &n, e)) < 0)
        return r;
    if (n > 0)
        strbuf_printf(out, strchr(names[0], ':') ? "https://[%s]:%d" : "https://%s:%d", names[0],
                      PORT);
    authority_free_names(names, n);
    return n > 0 ? 0 : err_set(e, -EINVAL, "the controller's certificate has no name");
}

int verb_token_join(struct cli *c)
{
    char token[JOIN_TOKEN_MAX], digest[CERTIFICATE_DIGEST_MAX];
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    AUTO(mem) char *ca = NULL;
    struct join_token t = { .uses = 1 };
    struct err e = ERR_INIT;

    if (choose_uses(c, &t, &e) < 0 || choose_rest(c, &t, &e) < 0)
        return cli_usage(c, "token join: %s", e.text);
    strbuf_puts(&out, "huddle-agent join ");
    if (add_server(&out, c, &e) < 0 || pki_read(pki_of(c), PKI_CA, &ca, &e) < 0 ||
        certificate_digest(ca, digest, &e) < 0 || join_token_make(pki_of(c), &t, token, &e) < 0)
        return cli_fail(&e);
    strbuf_printf(&out, " --token %s --ca %s\n", token, digest);
    cli_print(&out);
    return EXIT_DONE;
}

int verb_node_revoke(struct cli *c)
{
    const char *node = c->options.operands[0];
    char uid[CERTIFICATE_UID_MAX];
    struct err e = ERR_INIT;

    if (roster_revoke(pki_of(c), node, uid, &e) < 0)
        return cli_fail(&e);
    (void)printf("node %s: its certificate (uid %s) is revoked\n", node, uid);
    return EXIT_DONE;
}
