/* See output.h. */
#include "controller/cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/cli/verb.h"
#include "proto/base/array.h"

static const struct {
    const char *name, *ending;
    enum output_format format;
} FORMATS[] = {
    { "table", "txt", OUTPUT_TABLE }, { "json", "json", OUTPUT_JSON },
    { "yaml", "yaml", OUTPUT_YAML },  { "yaml", "yml", OUTPUT_YAML },
    { "csv", "csv", OUTPUT_CSV },     { "html", "html", OUTPUT_HTML },
    { "html", "htm", OUTPUT_HTML },
};

/* Is the word one of the blank-separated choices? */
static bool offered(const char *choices, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = choices; *at; at += strcspn(at, " ")) {
        at += strspn(at, " ");
        if (n > 0 && strcspn(at, " ") == n && strncmp(at, word, n) == 0)
            return true;
    }
    return false;
}

static int unknown(const char *asked, const char *choices, struct err *e)
{
    AUTO(strbuf) struct strbuf names = STRBUF_INIT;

    for (const char *c = choices; *c; c++)
        strbuf_printf(&names, *c == ' ' ? ", " : "%c", *c);
    return err_set(e, -EINVAL, "unknown format \"%.40s\"; there are %s", asked,
                   strbuf_text(&names));
}

int output_choose(const struct options *o, enum option_id id, struct output *ret, struct err *e)
{
    const char *choices = option_of(id)->choices, *asked = options_get(o, id);
    const char *file = options_get(o, OPT_OUTPUT_FILE), *dot = file ? strrchr(file, '.') : NULL;

    *ret = (struct output){ OUTPUT_TABLE, file };
    if (asked && !offered(choices, asked))
        return unknown(asked, choices, e);
    for (size_t i = 0; i < ARRAY_LEN(FORMATS); i++)
        if (asked ? strcmp(FORMATS[i].name, asked) == 0
                  : dot && strcmp(FORMATS[i].ending, dot + 1) == 0 &&
                        offered(choices, FORMATS[i].name))
            ret->format = FORMATS[i].format;
    return 0;
}

int output_write(const struct output *o, const struct strbuf *text, struct err *e)
{
    bool written;
    FILE *f;

    if (!o->file) {
        cli_print(text);
        return 0;
    }
    f = fopen(o->file, "we");
    written = f && fputs(strbuf_text(text), f) >= 0;
    if (f && fclose(f) != 0)
        written = false;
    return written ? 0 : err_errno(e, errno ? -errno : -EIO, "%s", o->file);
}
