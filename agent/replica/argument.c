/* One typed argument of a runtime: see argument.h. */
#include "agent/replica/argument.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

#define LEAST "-9223372036854775808"
#define MOST "9223372036854775807"

static int read_default(void *base, const json_t *value, struct err *e)
{
    struct argument *a = base;

    if (json_is_string(value)) {
        a->def = xstrdup(json_string_value(value));
    } else if (json_is_boolean(value)) {
        a->def = xstrdup(json_is_true(value) ? "true" : "false");
    } else if (json_is_number(value)) {
        a->def = json_number_text(value);
    } else {
        return err_set(e, -EINVAL, "expected a value, not %s", json_type_words(value));
    }
    return 0;
}

#define A(member) offsetof(struct argument, member)
static const struct field FIELDS[] = {
    { "type", FIELD_WORD, A(type), "text", 0, 0, "path integer port number boolean word text", "",
      NULL },
    { "under", FIELD_TEXT, A(under), NULL, 0, 0, NULL, "", NULL },
    { "flag", FIELD_TEXT, A(flag), NULL, 0, 0, NULL, "", NULL },
    { "least", FIELD_INT, A(least), LEAST, INT64_MIN, INT64_MAX, NULL, "", NULL },
    { "most", FIELD_INT, A(most), MOST, INT64_MIN, INT64_MAX, NULL, "", NULL },
    { "words", FIELD_LIST, A(words), NULL, 0, 0, NULL, "", NULL },
    { "required", FIELD_BOOL, A(required), "false", 0, 0, NULL, "", NULL },
    { "default", FIELD_CUSTOM, 0, NULL, 0, 0, NULL, "", read_default },
    FIELDS_END,
};

/* --- checks of a value -------------------------------------------------------------------------
 */

static int check_integer(const struct argument *a, const char *value, struct err *e)
{
    int64_t least = a->least, most = a->most;
    char *end;
    long long n;

    if (a->type == ARGUMENT_PORT) {
        least = least > 1 ? least : 1;
        most = most < 65535 ? most : 65535;
    }
    errno = 0;
    n = strtoll(value, &end, 10);
    if (!*value || *end || value[strspn(value, "-0123456789")])
        return err_set(e, -EINVAL, "\"%.60s\" is not a whole number", value);
    if (errno || n < least || n > most)
        return err_set(e, -EINVAL, "%.60s is out of range, expected %lld to %lld", value,
                       (long long)least, (long long)most);
    return 0;
}

static int check_number(const struct argument *a, const char *value, struct err *e)
{
    char *end;
    double n = strtod(value, &end);

    if (!*value || *end || value[strspn(value, "+-.0123456789eE")] || !isfinite(n))
        return err_set(e, -EINVAL, "\"%.60s\" is not a number", value);
    if (n < (double)a->least || n > (double)a->most)
        return err_set(e, -EINVAL, "%.60s is out of range, expected %lld to %lld", value,
                       (long long)a->least, (long long)a->most);
    return 0;
}

static int check_word(const struct argument *a, const char *value, struct err *e)
{
    AUTO(strbuf) struct strbuf known = STRBUF_INIT;

    for (size_t i = 0; i < a->words.n; i++) {
        if (strcmp(a->words.item[i], value) == 0)
            return 0;
        strbuf_printf(&known, "%s%s", i ? ", " : "", a->words.item[i]);
    }
    return err_set(e, -EINVAL, "\"%.60s\" is not one of: %s", value, strbuf_text(&known));
}

/* A value that begins with "-" could be taken for an option by the program. */
static int check_text(const char *value, struct err *e)
{
    if (value[0] == '-')
        return err_set(e, -EINVAL, "\"%.60s\" begins with \"-\", which is not accepted", value);
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return err_set(e, -EINVAL, "control byte 0x%02x", (unsigned char)*p);
    return 0;
}

static bool has_dot_dot(const char *path)
{
    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || !p[2]))
            return true;
    return false;
}

static bool is_below(const char *path, const char *folder)
{
    size_t n = strlen(folder);

    if (n == 1) /* "/" */
        return true;
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

/* The real path of `value`, below `under` before and after every symbolic link is followed. What
 * the program gets is the resolved path: a link that is changed afterwards leads nowhere new. */
static int resolve_path(const struct argument *a, const char *value, char **ret_path, struct err *e)
{
    AUTO(strbuf) struct strbuf full = STRBUF_INIT;
    AUTO(mem) char *under = realpath(a->under, NULL);
    AUTO(mem) char *path = NULL;

    if (!under)
        return err_errno(e, -errno, "its folder %s", a->under);
    if (!*value)
        return err_set(e, -EINVAL, "empty, expected a path below %s", a->under);
    if (has_dot_dot(value))
        return err_set(e, -EINVAL, "%.200s: \"..\" is not accepted", value);
    if (*value != '/')
        strbuf_printf(&full, "%s/", a->under);
    strbuf_puts(&full, value);
    path = realpath(strbuf_text(&full), NULL);
    /* What is outside is told first: an error must not say what exists there. */
    if (*value == '/' && !is_below(value, a->under) && !(path && is_below(path, under)))
        return err_set(e, -EINVAL, "%.200s: expected a path below %s", value, a->under);
    if (!path)
        return err_errno(e, -errno, "%.200s", strbuf_text(&full));
    if (!is_below(path, under))
        return err_set(e, -EINVAL, "%.200s: a symbolic link leads out of %s", value, a->under);
    *ret_path = TAKE(path);
    return 0;
}

static int check_value(const struct argument *a, const char *value, struct err *e)
{
    switch (a->type) {
    case ARGUMENT_INTEGER:
    case ARGUMENT_PORT:
        return check_integer(a, value, e);
    case ARGUMENT_NUMBER:
        return check_number(a, value, e);
    case ARGUMENT_BOOLEAN:
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return err_set(e, -EINVAL, "\"%.60s\": expected true or false", value);
        return 0;
    case ARGUMENT_WORD:
        return check_word(a, value, e);
    default:
        return check_text(value, e);
    }
}

static void append_words(const struct argument *a, const char *value, struct launch *launch)
{
    size_t n = strlen(a->flag);

    if (n && a->flag[n - 1] == '=') {
        AUTO(strbuf) struct strbuf word = STRBUF_INIT;

        strbuf_printf(&word, "%s%s", a->flag, value);
        launch_argument(launch, strbuf_text(&word));
        return;
    }
    if (n)
        launch_argument(launch, a->flag);
    launch_argument(launch, value);
}

int argument_append(const struct argument *a, const char *value, struct launch *launch,
                    struct err *e)
{
    AUTO(mem) char *path = NULL;
    int r = check_value(a, value, e);

    if (r == 0 && a->type == ARGUMENT_PATH)
        r = resolve_path(a, value, &path, e);
    if (r < 0)
        return r;
    if (a->type != ARGUMENT_BOOLEAN)
        append_words(a, path ? path : value, launch);
    else if (strcmp(value, "true") == 0)
        launch_argument(launch, a->flag);
    return 0;
}

/* --- definitions -------------------------------------------------------------------------------
 */

/* What does not fit together in a definition; *ret_key is where it stands. */
static const char *contradiction(const struct argument *a, const char **ret_key)
{
    bool counts =
        a->type == ARGUMENT_INTEGER || a->type == ARGUMENT_PORT || a->type == ARGUMENT_NUMBER;

    *ret_key = "under";
    if (a->type == ARGUMENT_PATH ? a->under[0] != '/' : a->under[0] != '\0')
        return a->type == ARGUMENT_PATH ? "expected an absolute path; type path needs it"
                                        : "only type path takes it";
    if (has_dot_dot(a->under))
        return "\"..\" is not accepted";
    *ret_key = "words";
    if ((a->type == ARGUMENT_WORD) != (a->words.n > 0))
        return a->type == ARGUMENT_WORD ? "missing, type word needs it" : "only type word takes it";
    *ret_key = "least";
    if (!counts && (a->least != INT64_MIN || a->most != INT64_MAX))
        return "least and most are for numbers";
    if (a->least > a->most)
        return "greater than most";
    *ret_key = "flag";
    if (a->flag[0] ? a->flag[0] != '-' : a->type == ARGUMENT_BOOLEAN)
        return "expected a word that begins with \"-\"";
    if (a->type == ARGUMENT_BOOLEAN && a->flag[strlen(a->flag) - 1] == '=')
        return "type boolean gives the flag alone: without \"=\"";
    return NULL;
}

static int check_definition(const struct argument *a, const struct place *at, const json_t *value,
                            struct err *e)
{
    const char *key, *wrong = contradiction(a, &key);
    struct err what = ERR_INIT;

    if (!wrong && a->def && check_value(a, a->def, &what) < 0) {
        key = "default";
        wrong = what.text;
    }
    if (wrong) {
        /* Where the key is not given, the place is that of the argument. */
        struct place below = place_below(at, value, key);

        if (!json_object_get(value, key)) {
            below.parent = at->parent;
            below.key = at->key;
        }
        return place_error(&below, e, wrong);
    }
    return 0;
}

int argument_read(struct argument *a, const char *name, const struct place *at, const json_t *value,
                  struct err *e)
{
    int r;

    *a = (struct argument){ .type = ARGUMENT_TEXT };
    if (!json_is_object(value))
        return place_wrong_type(at, value, "a mapping like {type: integer, flag: --n}", e);
    a->name = xstrdup(name);
    r = fields_read(a, FIELDS, at, value, e);
    if (r == 0)
        r = check_definition(a, at, value, e);
    if (r < 0)
        argument_done(a);
    return r;
}

void argument_done(struct argument *a)
{
    fields_done(a, FIELDS);
    free(a->name);
    free(a->def);
    *a = (struct argument){ 0 };
}
