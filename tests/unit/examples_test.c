/* The annotated configuration files in deploy/examples: they load, they show every key that there
 * is, and what they show is the default. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/config.h"
#include "controller/config.h"
#include "proto/base/yaml.h"
#include "proto/field.h"

/* "# key: value" becomes "key: value": a comment that shows a key, by its small first letter. */
static void uncomment(char *text)
{
    for (char *line = text; *line; line += strcspn(line, "\n") + 1) {
        char *sign = line + strspn(line, " "), *word = sign + 1 + strspn(sign + 1, " ");
        size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

        if (sign[0] == '#' && n && *word >= 'a' && word[n] == ':' && strchr(" \n", word[n + 1]))
            memmove(sign, sign + 2, strlen(sign + 2) + 1);
        if (!line[strcspn(line, "\n")])
            break;
    }
}

static const json_t *find(const json_t *object, const char *path)
{
    for (;;) {
        size_t n = strcspn(path, ".");

        object = json_object_getn(object, path, n);
        if (!object || !path[n])
            return object;
        path += n + 1;
    }
}

union value { /* of any field */
    int64_t whole;
    double number;
    char *text;
    struct string_list list;
    struct string_map map;
};

/* What the example shows and what the table says, as the reader of fields understands both. */
static void assert_default(const struct field *f, const json_t *shown, const char *file)
{
    struct field fields[2] = { *f, { .path = NULL } };
    union value a, b;
    struct source from = { file, NULL };
    struct place top = { &from, NULL, NULL, 0, "" };
    json_t *object = json_pack("{s:O}", "value", shown);
    struct err e = ERR_INIT;

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    fields[0].path = "value";
    fields[0].offset = 0;
    if (fields_read(&a, fields, &top, object, &e) < 0 ||
        fields_read(&b, fields, &top, NULL, &e) < 0)
        fail_msg("%s", e.text);
    if (f->type == FIELD_TEXT)
        assert_string_equal(a.text, b.text);
    else if (f->type != FIELD_LIST && f->type != FIELD_MAP)
        assert_memory_equal(&a, &b, sizeof(a));
    fields_done(&a, fields);
    fields_done(&b, fields);
    json_decref(object);
}

/* `but` is what has to be said, so that it differs from the default. */
static void assert_whole(const char *file, const struct field *fields, const char *const *but)
{
    AUTO(yaml_docs) struct yaml_docs docs = { 0 };
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n;

    assert_int_equal(yaml_read_file(file, &text, &n, &e), 0);
    uncomment(text);
    if (yaml_parse(file, text, strlen(text), &docs, &e) < 0)
        fail_msg("%s", e.text);
    for (const struct field *f = fields; f->path; f++) {
        const json_t *shown = find(docs.docs[0].root, f->path);
        bool other = false;

        for (size_t i = 0; but[i]; i++)
            other |= strcmp(but[i], f->path) == 0;
        if (!shown)
            fail_msg("%s does not show %s", file, f->path);
        if (!other && f->type != FIELD_CUSTOM)
            assert_default(f, shown, f->path);
    }
}

static void the_agents_example_is_whole(void **state)
{
    AUTO(agent_config) struct agent_config *config = NULL;
    struct err e = ERR_INIT;

    (void)state;
    if (agent_config_load("deploy/examples/agent.yaml", &config, &e) < 0)
        fail_msg("%s", e.text);
    assert_whole("deploy/examples/agent.yaml", agent_config_fields(),
                 (const char *const[]){ "controller.url", NULL });
}

static void the_controllers_example_is_whole(void **state)
{
    AUTO(config) struct config *config = NULL;
    struct err e = ERR_INIT;

    (void)state;
    if (config_load("deploy/examples/controller.yaml", &config, &e) < 0)
        fail_msg("%s", e.text);
    assert_whole("deploy/examples/controller.yaml", config_fields(),
                 (const char *const[]){ "tls.certificate", "tls.key", "tokens", NULL });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_agents_example_is_whole),
        cmocka_unit_test(the_controllers_example_is_whole),
    };

    return cmocka_run_group_tests_name("examples", tests, NULL, NULL);
}
