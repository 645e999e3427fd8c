/* token list and token delete: the controller's token file, as `token create --append` fills it.
 * Needs no server. What a line says beyond its name and role is shown as it stands there. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/table.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "controller/pki/user_token.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/yaml.h"

struct row { /* borrowed from the line */
    const char *name, *role, *node, *expires;
};

static const char *token_file(const struct cli *c)
{
    const char *file = options_get(&c->options, OPT_TOKENS);

    return file ? file : PKI_FOLDER_DEFAULT "/" PKI_TOKENS;
}

/* False: a comment, or nothing. */
static bool read_row(char *line, struct row *ret)
{
    char *word;

    *ret = (struct row){ NULL, NULL, "", "" };
    while ((word = strsep(&line, " \t\r"))) {
        if (!*word)
            continue;
        if (!ret->name && *word == '#')
            return false;
        if (!ret->name)
            ret->name = word;
        else if (!ret->role)
            ret->role = word;
        else if (strncmp(word, "node:", 5) == 0)
            ret->node = word + 5;
        else if (strncmp(word, "expires:", 8) == 0)
            ret->expires = word + 8;
    }
    return ret->role != NULL;
}

static json_t *row_object(const struct row *r)
{
    return json_pack("{s:s, s:s, s:s*, s:s*}", "name", r->name, "role", r->role, "node",
                     *r->node ? r->node : NULL, "expires", *r->expires ? r->expires : NULL);
}

static void show(struct table *t, const struct row *r)
{
    table_cell(t, r->name, PAINT_NONE);
    table_cell(t, r->role, PAINT_NONE);
    table_cell(t, *r->node ? r->node : "-", PAINT_NONE);
    table_cell(t, *r->expires ? r->expires : "never", PAINT_NONE);
}

struct joins {
    struct table *table;
    json_t *all;
};

static void show_join(void *data, const char *id, const struct join_token *t)
{
    const struct joins *j = data;
    char expires[CLOCK_TEXT_MAX], uses[32];

    clock_format(t->expires_ms, expires);
    (void)snprintf(uses, sizeof(uses), "%lld to join", (long long)t->uses);
    show(j->table, &(struct row){ id, "join", uses, expires });
    (void)json_array_append_new(j->all, json_pack("{s:s, s:s, s:I, s:s, s:s*}", "name", id, "role",
                                                  "join", "uses", (json_int_t)t->uses, "expires",
                                                  expires, "from", *t->from ? t->from : NULL));
}

/* Those that lie beside the file. */
static void show_joins(const char *file, struct table *t, json_t *all)
{
    AUTO(mem) char *copy = xstrdup(file);
    struct joins j = { t, all };

    join_token_each(dirname(copy), show_join, &j);
}

static void titles(struct table *t)
{
    static const char *const TITLES[] = { "NAME", "ROLE", "NODE", "EXPIRES" };

    table_begin(t, ARRAY_LEN(TITLES));
    for (size_t i = 0; i < ARRAY_LEN(TITLES); i++)
        table_cell(t, TITLES[i], PAINT_HEAD);
}

int verb_token_list(struct cli *c)
{
    const char *format = options_get(&c->options, OPT_OUTPUT_ONE);
    bool table = !format || strcmp(format, "table") == 0;
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    AUTO(mem) char *text = NULL;
    struct table t = { .columns = 0 };
    json_t *all = json_array();
    struct err e = ERR_INIT;
    char *rest, *line;
    struct row r;
    size_t n;

    if (!table && strcmp(format, "json") != 0 && strcmp(format, "yaml") != 0) {
        json_decref(all);
        return cli_usage(c, "token list: format \"%.40s\"; there are table, json, yaml", format);
    }
    if (yaml_read_file(token_file(c), &text, &n, &e) < 0) {
        json_decref(all);
        return cli_fail(&e);
    }
    titles(&t);
    for (rest = text; (line = strsep(&rest, "\n"));) {
        if (!read_row(line, &r))
            continue;
        show(&t, &r);
        (void)json_array_append_new(all, row_object(&r));
    }
    show_joins(token_file(c), &t, all);
    if (table)
        table_print(&t, &out, c->colour);
    else
        (*format == 'j' ? write_json : write_yaml)(&out, all);
    cli_print(&out);
    table_done(&t);
    json_decref(all);
    return EXIT_DONE;
}

static bool is_join(const char *file, const char *name)
{
    AUTO(mem) char *copy = xstrdup(file);

    return join_token_is_id(name) && join_token_delete(dirname(copy), name, NULL) == 0;
}

int verb_token_delete(struct cli *c)
{
    const char *file = token_file(c), *name = c->options.operands[0], *line, *end;
    AUTO(strbuf) struct strbuf rest = STRBUF_INIT;
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n;

    if (yaml_read_file(file, &text, &n, &e) < 0)
        return cli_fail(&e);
    line = user_token_find(text, name);
    if (!line && is_join(file, name))
        return EXIT_DONE;
    if (!line) {
        (void)err_set(&e, -ENOENT, "%s has no token called %.70s", file, name);
        return cli_fail(&e);
    }
    end = line + strcspn(line, "\n");
    strbuf_add(&rest, text, (size_t)(line - text));
    strbuf_puts(&rest, *end ? end + 1 : end);
    if (pki_replace(file, strbuf_text(&rest), rest.length, &e) < 0)
        return cli_fail(&e);
    (void)fprintf(stderr, "%s is deleted from %s; a running controller knows it until SIGHUP\n",
                  name, file);
    return EXIT_DONE;
}
