/* YAML as jansson values: see yaml.h. A recursive descent over libyaml's events, and the same
 * events written. */
#include "proto/base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "proto/base/array.h"
#include "proto/base/yaml_private.h"

struct reader {
    const char *file, *text;
    size_t n;
    yaml_parser_t parser;
    struct yaml_doc *doc;
    struct err *e;
};

static int bad_at(struct reader *y, const yaml_mark_t *m, const char *what)
{
    return err_set(y->e, -EINVAL, "%s:%zu:%zu: %s", y->file, m->line + 1, m->column + 1, what);
}

/* Names the key where it is a word that a terminal can show. */
static int doubled_key(struct reader *y, const yaml_mark_t *m, const char *key)
{
    char what[100];
    size_t n = 0;

    while (n < 60 && (isalnum((unsigned char)key[n]) || (key[n] && strchr("-_./", key[n]))))
        n++;
    if (key[n] || n == 0)
        return bad_at(y, m, "this key stands here twice");
    (void)snprintf(what, sizeof(what), "the key \"%s\" stands here twice; expected once", key);
    return bad_at(y, m, what);
}

/* libyaml tells where bytes are no text by their offset alone. */
static yaml_mark_t problem_mark(const struct reader *y)
{
    yaml_mark_t at = y->parser.problem_mark;

    if (y->parser.error != YAML_READER_ERROR)
        return at;
    at.line = at.column = 0;
    for (size_t i = 0; i < y->n && i < y->parser.problem_offset; i++) {
        at.column++;
        if (y->text[i] == '\n') {
            at.line++;
            at.column = 0;
        }
    }
    return at;
}

static int next_event(struct reader *y, yaml_event_t *event)
{
    const char *problem;
    yaml_mark_t at;

    if (yaml_parser_parse(&y->parser, event))
        return 0;
    at = problem_mark(y);
    problem = y->parser.problem;
    return err_set(y->e, -EINVAL, "%s:%zu:%zu: not valid YAML or JSON: %s", y->file, at.line + 1,
                   at.column + 1, problem ? problem : "it ends too early");
}

static void add_mark(struct reader *y, const json_t *parent, const char *key, size_t index,
                     const yaml_mark_t *at)
{
    *ARRAY_ADD(y->doc, marks) =
        (struct yaml_mark){ parent, key, index, at->line + 1, at->column + 1 };
}

json_t *yaml_plain_value(const char *s)
{
    static const char *const NULLS[] = { "", "~", "null", "Null", "NULL" };
    static const char *const TRUES[] = { "true", "True", "TRUE" };
    static const char *const FALSES[] = { "false", "False", "FALSE" };
    char *end;

    for (size_t i = 0; i < ARRAY_LEN(NULLS); i++)
        if (strcmp(s, NULLS[i]) == 0)
            return json_null();
    for (size_t i = 0; i < ARRAY_LEN(TRUES); i++)
        if (strcmp(s, TRUES[i]) == 0)
            return json_true();
    for (size_t i = 0; i < ARRAY_LEN(FALSES); i++)
        if (strcmp(s, FALSES[i]) == 0)
            return json_false();
    if (s[strspn(s, "+-.0123456789eE")] || !strpbrk(s, "0123456789"))
        return NULL;
    errno = 0;
    if (!strpbrk(s, ".eE")) {
        long long whole = strtoll(s, &end, 10);

        return *end || errno ? NULL : json_integer(whole);
    }
    double number = strtod(s, &end);

    return *end || errno ? NULL : json_real(number);
}

static int read_scalar(struct reader *y, const yaml_event_t *event, json_t **ret)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t n = event->data.scalar.length;
    json_t *value = NULL;

    if (strlen(text) != n)
        return bad_at(y, &event->start_mark, "a NUL byte inside a string");
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        value = yaml_plain_value(text);
    if (!value)
        value = json_stringn(text, n);
    if (!value)
        return bad_at(y, &event->start_mark, "not valid UTF-8");
    *ret = value;
    return 0;
}

static int read_value(struct reader *y, const yaml_event_t *event, int depth, json_t **ret);

static int read_sequence(struct reader *y, int depth, json_t *array)
{
    for (size_t i = 0;; i++) {
        yaml_event_t event;
        json_t *value = NULL;
        int r = next_event(y, &event);

        if (r < 0)
            return r;
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        add_mark(y, array, NULL, i, &event.start_mark);
        r = read_value(y, &event, depth, &value);
        yaml_event_delete(&event);
        if (r < 0)
            return r;
        (void)json_array_append_new(array, value);
    }
}

/* One `key: value`; *ret_end when the mapping is over. */
static int read_pair(struct reader *y, int depth, json_t *object, bool *ret_end)
{
    AUTO(mem) char *key = NULL;
    yaml_event_t event;
    yaml_mark_t at;
    json_t *value = NULL;
    int r = next_event(y, &event);

    if (r < 0)
        return r;
    at = event.start_mark;
    *ret_end = event.type == YAML_MAPPING_END_EVENT;
    if (event.type == YAML_SCALAR_EVENT)
        key = xstrdup((const char *)event.data.scalar.value);
    yaml_event_delete(&event);
    if (*ret_end)
        return 0;
    if (!key)
        return bad_at(y, &at, "a key must be a plain word");
    if (json_object_get(object, key))
        return doubled_key(y, &at, key);
    if ((r = next_event(y, &event)) < 0)
        return r;
    r = read_value(y, &event, depth, &value);
    yaml_event_delete(&event);
    if (r < 0)
        return r;
    if (json_object_set_new(object, key, value) < 0)
        return bad_at(y, &at, "not valid UTF-8");
    add_mark(y, object, json_object_iter_key(json_object_iter_at(object, key)), 0, &at);
    return 0;
}

static int read_mapping(struct reader *y, int depth, json_t *object)
{
    bool end = false;
    int r = 0;

    while (r == 0 && !end)
        r = read_pair(y, depth, object, &end);
    return r;
}

static int read_value(struct reader *y, const yaml_event_t *event, int depth, json_t **ret)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    json_t *value = NULL;
    int r;

    if (event->type == YAML_ALIAS_EVENT)
        return bad_at(y, &event->start_mark, "aliases (*name) are not accepted; write it out");
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    }
    if (anchor || tag)
        return bad_at(y, &event->start_mark, "anchors (&name) and tags (!name) are not accepted");
    if (depth >= YAML_DEPTH_MAX)
        return bad_at(y, &event->start_mark, "nested more than 64 levels deep");
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(y, event, ret);
    if (event->type == YAML_MAPPING_START_EVENT)
        r = read_mapping(y, depth + 1, value = json_object());
    else
        r = read_sequence(y, depth + 1, value = json_array());
    if (r < 0) {
        json_decref(value);
        return r;
    }
    *ret = value;
    return 0;
}

static void doc_done(struct yaml_doc *doc)
{
    json_decref(doc->root);
    free(doc->marks);
}

static int read_document(struct reader *y, struct yaml_docs *docs)
{
    struct yaml_doc doc = { 0 };
    yaml_event_t event;
    int r = next_event(y, &event);

    if (r < 0)
        return r;
    y->doc = &doc;
    add_mark(y, NULL, NULL, 0, &event.start_mark);
    r = read_value(y, &event, 0, &doc.root);
    yaml_event_delete(&event);
    y->doc = NULL;
    if (r < 0 || json_is_null(doc.root))
        doc_done(&doc);
    else
        *ARRAY_ADD(docs, docs) = doc;
    return r;
}

static int read_stream(struct reader *y, struct yaml_docs *docs)
{
    for (;;) {
        yaml_event_t event;
        yaml_event_type_t type;
        int r = next_event(y, &event);

        if (r < 0)
            return r;
        type = event.type;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return 0;
        if (type == YAML_DOCUMENT_START_EVENT && (r = read_document(y, docs)) < 0)
            return r;
    }
}

int yaml_parse(const char *file, const char *text, size_t n, struct yaml_docs *ret_docs,
               struct err *e)
{
    struct reader y = { .file = file, .text = text, .n = n, .e = e };
    struct yaml_docs docs = { 0 };
    int r;

    if (n > YAML_TEXT_MAX)
        return err_set(e, -EINVAL, "%s: %zu bytes, at most %u", file, n, YAML_TEXT_MAX);
    if (!yaml_parser_initialize(&y.parser))
        abort();
    yaml_parser_set_input_string(&y.parser, (const unsigned char *)text, n);
    r = read_stream(&y, &docs);
    yaml_parser_delete(&y.parser);
    if (r < 0)
        yaml_docs_done(&docs);
    else
        *ret_docs = docs;
    return r;
}

void yaml_docs_done(struct yaml_docs *docs)
{
    ARRAY_FOREACH(doc, docs, docs) {
        doc_done(doc);
    }
    free(docs->docs);
    *docs = (struct yaml_docs){ 0 };
}

const struct yaml_mark *yaml_find(const struct yaml_doc *doc, const json_t *parent, const char *key,
                                  size_t index)
{
    ARRAY_FOREACH(m, doc, marks) {
        if (m->parent == parent &&
            (key ? m->key && strcmp(m->key, key) == 0 : !m->key && m->index == index))
            return m;
    }
    return NULL;
}

int yaml_read_file(const char *path, char **ret_text, size_t *ret_n, struct err *e)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    AUTO(fd) int opened = -1;
    int fd = STDIN_FILENO;

    if (strcmp(path, "-") != 0) {
        fd = opened = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return err_errno(e, -errno, "%s", path);
    }
    for (;;) {
        char chunk[16384];
        ssize_t n = read(fd, chunk, sizeof(chunk));

        if (n < 0)
            return err_errno(e, -errno, "%s", path);
        if (n == 0)
            break;
        strbuf_add(&text, chunk, (size_t)n);
        if (text.length > YAML_TEXT_MAX)
            return err_set(e, -EFBIG, "%s: larger than %u bytes", path, YAML_TEXT_MAX);
    }
    *ret_n = text.length;
    *ret_text = strbuf_take(&text);
    return 0;
}
