/* token create: makes a bearer token and the line for the controller's token file, which holds only
 * its hash. The token is shown once and kept nowhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/moment.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "controller/pki/folder.h"
#include "controller/pki/user_token.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/guess.h"
#include "proto/base/yaml.h"
#include "proto/quantity.h"

#define NAME_MAX_BYTES 63
#define NODE_MAX_BYTES 253

struct wanted { /* what the line says; borrowed from the command line */
    const char *name, *role;
    const char *node;             /* NULL: no agent's */
    char expires[CLOCK_TEXT_MAX]; /* "": never */
};

static const struct {
    const char *name, *may;
} ROLES[] = {
    { "metrics", "read /metrics" },
    { "viewer", "read everything" },
    { "operator", "and pause, wake, hold, drain, cordon" },
    { "editor", "and apply and delete objects" },
    { "admin", "and sleep, resume" },
    { "agent", "report of one node, nothing else" },
};

static int check_role(const char *role, struct err *e)
{
    struct guess g = guess_begin(role ? role : "");
    const char *near;
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(ROLES); i++) {
        if (strcmp(ROLES[i].name, g.given) == 0)
            return 0;
        guess_consider(&g, ROLES[i].name, strlen(ROLES[i].name));
    }
    near = *g.given ? guess_word(&g, &n) : NULL;
    if (near)
        return err_set(e, -EINVAL, "\"%.40s\" is no role; did you mean \"%.*s\"?", role, (int)n,
                       near);
    return err_set(e, -EINVAL,
                   "--role is needed: metrics, viewer, operator, editor, admin or agent");
}

static int check_name(const char *name, struct err *e)
{
    size_t n = strlen(name);

    if (n == 0 || n > NAME_MAX_BYTES ||
        name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@")])
        return err_set(e, -EINVAL,
                       "\"%.70s\" is no name for a token; expected letters, digits, - . _ @", name);
    return 0;
}

/* Of an agent's token: for which node it is. */
static int choose_node(struct wanted *w, const char *given, struct err *e)
{
    const char *node = given ? given : w->name;
    size_t n = strlen(node);

    if (strcmp(w->role, "agent") != 0)
        return given ? err_set(e, -EINVAL, "--node goes with --role agent only") : 0;
    if (strcmp(node, "*") != 0 && (n == 0 || n > NODE_MAX_BYTES ||
                                   node[strspn(node, "abcdefghijklmnopqrstuvwxyz0123456789-.")] ||
                                   strchr("-.", node[0]) || strchr("-.", node[n - 1])))
        return err_set(e, -EINVAL,
                       "\"%.70s\" is no name of a node (lower-case letters, digits, \"-\" and "
                       "\".\"); say with --node for which node the token is, or --node '*' for any",
                       node);
    w->node = node;
    return 0;
}

/* Unlike everywhere else on the command line a duration looks ahead. */
static int choose_expiry(struct wanted *w, const char *given, struct err *e)
{
    int64_t now_ms = clock_wall_ms(), wall_ms, ahead_ms;

    if (!given)
        return 0;
    if (quantity_duration(given, &ahead_ms, NULL) == 0)
        wall_ms = ahead_ms < INT64_MAX - now_ms ? now_ms + ahead_ms : INT64_MAX;
    else if (moment_parse(given, now_ms, &wall_ms, NULL) < 0)
        return err_set(e, -EINVAL,
                       "--expires: expected a time like 2027-03-01T00:00:00Z, 2027-03-01, or how "
                       "long from now (90d), not \"%.60s\"",
                       given);
    if (wall_ms <= now_ms)
        return err_set(e, -EINVAL, "--expires: \"%.60s\" is not in the future", given);
    clock_format(wall_ms, w->expires);
    if (clock_parse(w->expires, &wall_ms) < 0) /* behind the year 9999 */
        return err_set(e, -EINVAL, "--expires: \"%.60s\" is too far away", given);
    return 0;
}

/* A name stands once in a file: who it was could not be told apart otherwise. */
static int check_free(const char *file, const char *name, struct err *e)
{
    AUTO(mem) char *text = NULL;
    size_t size;
    int r = yaml_read_file(file, &text, &size, e);

    if (r == -ENOENT)
        return 0;
    if (r == 0 && user_token_find(text, name))
        return err_set(e, -EEXIST, "%s has a token called %s already", file, name);
    return r;
}

static void print_both(struct cli *c, const struct wanted *w, const struct strbuf *token,
                       const struct strbuf *line)
{
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *both;

    if (format && strcmp(format, "table") != 0) {
        both = json_pack("{s:s, s:s, s:s*, s:s*, s:s, s:s}", "name", w->name, "role", w->role,
                         "node", w->node, "expires", w->expires[0] ? w->expires : NULL, "token",
                         strbuf_text(token), "line", strbuf_text(line));
        (*format == 'j' ? write_json : write_yaml)(&out, both);
        json_decref(both);
    } else {
        strbuf_printf(&out,
                      "Token, shown once (for HUDDLE_TOKEN or --token-file):\n  %s\n\n"
                      "Line for the controller's token file:\n  %s\n",
                      strbuf_text(token), strbuf_text(line));
    }
    cli_print(&out);
}

int verb_token_create(struct cli *c)
{
    struct wanted w = { .name = c->options.operands[0],
                        .role = options_get(&c->options, OPT_ROLE) };
    const char *file = options_get(&c->options, OPT_APPEND);
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);
    AUTO(strbuf) struct strbuf token = STRBUF_INIT, line = STRBUF_INIT;
    struct user_token made;
    struct err e = ERR_INIT;

    if (check_name(w.name, &e) < 0 || check_role(w.role, &e) < 0 ||
        choose_node(&w, options_get(&c->options, OPT_NODE), &e) < 0 ||
        choose_expiry(&w, options_get(&c->options, OPT_EXPIRES), &e) < 0)
        return cli_usage(c, "%s", e.text);
    if (format && strcmp(format, "table") != 0 && strcmp(format, "json") != 0 &&
        strcmp(format, "yaml") != 0)
        return cli_usage(c, "token create: format \"%.40s\"; there are table, json, yaml", format);
    made = (struct user_token){ w.name, w.role, w.node, w.expires };
    if ((file && check_free(file, w.name, &e) < 0) || user_token_make(&made, &token, &line, &e) < 0)
        return cli_fail(&e);
    if (!file) {
        print_both(c, &w, &token, &line);
        return EXIT_DONE;
    }
    if (pki_append(file, strbuf_text(&line), &e) < 0)
        return cli_fail(&e);
    (void)puts(strbuf_text(&token));
    (void)fprintf(stderr, "%s (%s) stands in %s now; a running controller reads it on SIGHUP\n",
                  w.name, w.role, file);
    return EXIT_DONE;
}
