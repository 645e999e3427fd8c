/* Command line options: see options.h. */
#include "controller/cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/guess.h"

static const struct option OPTIONS[N_OPTIONS] = {
    [OPT_HELP] = { 'h', "help", NULL, false, "show this help" },
    [OPT_SERVER] = { 's', "server", "URL", false,
                     "the controller; default HUDDLE_SERVER, the configuration, or "
                     "http://127.0.0.1:7443" },
    [OPT_TOKEN] = { 0, "token", "TOKEN", false,
                    "bearer token (others may see it in the process list: prefer --token-file or "
                    "HUDDLE_TOKEN)" },
    [OPT_TOKEN_FILE] = { 0, "token-file", "FILE", false, "file that holds the bearer token" },
    [OPT_CA] = { 0, "ca", "FILE", false,
                 "certificate authority of the server (PEM); default HUDDLE_CA or the system's" },
    [OPT_CONFIG] = { 0, "config", "FILE", false,
                     "configuration; default HUDDLE_CONFIG or ~/.config/huddle/config.yaml" },
    [OPT_OUTPUT] = { 'o', "output", "FORMAT", false, "table, wide, json, yaml or name" },
    [OPT_WATCH] = { 'w', "watch", NULL, false, "go on and show changes as they happen" },
    [OPT_SELECTOR] = { 'l', "selector", "LABELS", false,
                       "only objects with these labels: a=b, a==b, a!=b, a, !a; several by comma" },
    [OPT_NO_HEADERS] = { 0, "no-headers", NULL, false, "a table without its titles" },
    [OPT_FILENAME] = { 'f', "filename", "FILE", true,
                       "file or folder of objects (YAML or JSON), or - for standard input; may be "
                       "given several times" },
    [OPT_RECURSIVE] = { 'R', "recursive", NULL, false, "folders within folders too" },
    [OPT_DRY_RUN] = { 0, "dry-run", "WHERE", false,
                      "client: check only, without a server; server: let the server check, store "
                      "nothing" },
};

const struct option *option_of(enum option_id id)
{
    return &OPTIONS[id];
}

static void add_value(struct options *o, size_t id, const char *value)
{
    *(const char **)ARRAY_ADD(&o->given[id], values) = value;
}

static int unknown(const char *word, size_t n, uint64_t takes, struct err *e)
{
    char name[40];
    struct guess g;
    const char *near;
    size_t near_n;

    if (n >= sizeof(name))
        return err_set(e, -EINVAL, "unknown option --%.60s", word);
    memcpy(name, word, n);
    name[n] = '\0';
    g = guess_begin(name);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strcmp(OPTIONS[i].name, name) == 0)
            return err_set(e, -EINVAL, "option --%s has no meaning here", name);
        if (takes >> i & 1)
            guess_consider(&g, OPTIONS[i].name, strlen(OPTIONS[i].name));
    }
    near = guess_word(&g, &near_n);
    if (near)
        return err_set(e, -EINVAL, "unknown option --%s; did you mean --%.*s?", name, (int)near_n,
                       near);
    return err_set(e, -EINVAL, "unknown option --%s", name);
}

static int read_switch(struct options *o, size_t id, const char *value, struct err *e)
{
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return err_set(e, -EINVAL, "--%s takes true or false, not \"%.40s\"", OPTIONS[id].name,
                       value);
    add_value(o, id, value ? value : "true");
    return 0;
}

/* `--name`, `--name=value`, or `--name value`: *next is the word behind, used up when taken. */
static int read_long(struct options *o, const char *word, const char *next, bool *used,
                     uint64_t takes, struct err *e)
{
    size_t n = strcspn(word, "=");
    const char *value = word[n] ? word + n + 1 : NULL;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strlen(OPTIONS[i].name) != n || strncmp(OPTIONS[i].name, word, n) != 0 ||
            !(takes >> i & 1))
            continue;
        if (!OPTIONS[i].value)
            return read_switch(o, i, value, e);
        *used = !value;
        value = value ? value : next;
        if (!value)
            return err_set(e, -EINVAL, "--%s needs a %s", OPTIONS[i].name, OPTIONS[i].value);
        add_value(o, i, value);
        return 0;
    }
    return unknown(word, n, takes, e);
}

/* `-wo wide`, `-owide`, `-o=wide`, `-w` */
static int read_short(struct options *o, const char *word, const char *next, bool *used,
                      uint64_t takes, struct err *e)
{
    for (; *word; word++) {
        size_t i = 0;

        while (i < N_OPTIONS && (OPTIONS[i].letter != *word || !(takes >> i & 1)))
            i++;
        if (i == N_OPTIONS)
            return err_set(e, -EINVAL, "unknown option -%c", *word);
        if (!OPTIONS[i].value) {
            add_value(o, i, "true");
            continue;
        }
        word++;
        *used = !*word;
        if (!*word && !next)
            return err_set(e, -EINVAL, "-%c needs a %s", OPTIONS[i].letter, OPTIONS[i].value);
        add_value(o, i, *word ? word + (*word == '=') : next);
        return 0;
    }
    return 0;
}

int options_read(struct options *o, int argc, char **argv, uint64_t takes, struct err *e)
{
    bool over = false;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
        bool used = false;
        int r = 0;

        if (over || word[0] != '-' || !word[1])
            *(const char **)ARRAY_ADD(o, operands) = word;
        else if (strcmp(word, "--") == 0)
            over = true;
        else if (word[1] == '-')
            r = read_long(o, word + 2, next, &used, takes, e);
        else
            r = read_short(o, word + 1, next, &used, takes, e);
        if (r < 0)
            return r;
        i += used;
    }
    return 0;
}

void options_done(struct options *o)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        free(o->given[i].values);
    free(o->operands);
    *o = (struct options){ 0 };
}

const char *options_get(const struct options *o, enum option_id id)
{
    size_t n = o->given[id].n_values;

    return n ? o->given[id].values[n - 1] : NULL;
}

bool options_on(const struct options *o, enum option_id id)
{
    const char *value = options_get(o, id);

    return value && strcmp(value, "true") == 0;
}
