/* Reading the configuration again while the controller runs (SIGHUP), and what has to be told of
 * the files that it names. Everything new is read before anything of it is put in force: a mistake
 * anywhere changes nothing. */
#include <stdlib.h>

#include "controller/daemon_private.h"
#include "controller/pki/folder.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

#define EXPIRY_WARNING_MS (7ll * 86400000) /* as huddlectl warns */

/* At start, after each reading of the tokens, and once a day. */
void daemon_tell_expiring(struct daemon *d)
{
    int64_t wall_ms = clock_wall_ms();
    AUTO(mem) struct bearer *list = NULL;
    size_t n = api_server_expiring(d->server, wall_ms + EXPIRY_WARNING_MS, &list);
    char when[CLOCK_TEXT_MAX];

    d->expiry_ms = loop_now_ms(d->loop);
    for (size_t i = 0; i < n; i++) {
        clock_format(list[i].expires_wall_ms, when);
        log_line(LOG_LEVEL_WARN,
                 list[i].expires_wall_ms <= wall_ms ? "a token has expired"
                                                    : "a token expires soon",
                 "token", list[i].who, "expires", when, "fix", "replace it: huddlectl token create",
                 NULL);
    }
}

/* Our own certificate, when less than a third of its life is left: before the server begins, and
 * once a day. What keeps it from being renewed is no reason not to serve: there are months left. */
bool daemon_renew_certificate(const struct config *c)
{
    struct err e = ERR_INIT;
    bool renewed = false;

    if (!config_has_own_certificate(c))
        return false;
    if (pki_renew_server(c->pki, clock_wall_ms(), &renewed, &e) < 0)
        log_line(LOG_LEVEL_ERROR, "the controller's certificate cannot be renewed", "why", e.text,
                 NULL);
    else if (renewed)
        log_line(LOG_LEVEL_INFO, "the controller's certificate was renewed", "file",
                 c->tls.certificate, NULL);
    return renewed;
}

void daemon_once_a_day(struct daemon *d)
{
    const struct config *c = d->config;
    struct err e = ERR_INIT;

    daemon_tell_expiring(d);
    if (daemon_renew_certificate(c) &&
        api_server_reload(d->server, c->tls.certificate, c->tls.key, NULL, &e) < 0)
        log_line(LOG_LEVEL_ERROR, "the renewed certificate is refused", "why", e.text, NULL);
}

/* --- SIGHUP -------------------------------------------------------------------------------------
 */

struct reload {
    struct daemon *daemon;
    const struct config *fresh;
};

static bool tell_change(void *data, const struct field *f)
{
    struct reload *r = data;
    bool live = config_is_live(f, r->daemon->config, r->fresh);

    if (live)
        log_line(LOG_LEVEL_INFO, "a changed key is in force", "key", f->path, NULL);
    else
        log_line(LOG_LEVEL_WARN, "a changed key needs a restart; until then the old value holds",
                 "key", f->path, NULL);
    return live;
}

/* A file of the new configuration where that is in force at once. NULL: the server has none. */
static const char *file_now(bool had, bool has, const char *running, const char *fresh)
{
    const char *file = had == has ? fresh : running;

    return file[0] ? file : NULL;
}

static int read_files(struct daemon *d, const struct config *fresh, struct err *e)
{
    const struct config *c = d->config;
    bool had_tls = c->tls.key[0], has_tls = fresh->tls.key[0];
    bool had_tokens = c->tokens[0], has_tokens = fresh->tokens[0];

    return api_server_reload(d->server,
                             file_now(had_tls, has_tls, c->tls.certificate, fresh->tls.certificate),
                             file_now(had_tls, has_tls, c->tls.key, fresh->tls.key),
                             file_now(had_tokens, has_tokens, c->tokens, fresh->tokens), e);
}

void daemon_reload(struct daemon *d)
{
    AUTO(config) struct config *fresh = NULL;
    struct reload r = { .daemon = d };
    struct err e = ERR_INIT;

    if (config_load(d->config_file, &fresh, &e) < 0 || read_files(d, fresh, &e) < 0) {
        log_line(LOG_LEVEL_ERROR, "the configuration is refused; the old one stays", "why", e.text,
                 NULL);
        return;
    }
    r.fresh = fresh;
    fields_take_over(config_fields(), d->config, fresh, tell_change, &r);
    ingest_set_nodes_max(d->ingest, (size_t)d->config->nodes_max);
    log_line(LOG_LEVEL_INFO, "configuration read, with its tokens and certificates", "file",
             d->config_file, NULL);
    log_setup(d->config->log.level, d->config->log.format == LOG_FORMAT_JSON);
    daemon_tell_expiring(d);
}
