/* schema and manual: what people may declare, for editors and for man(1), from the tables that the
 * programs themselves read. */
#include <string.h>

#include "controller/cli/manual.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/array.h"
#include "proto/manifest_schema.h"

static json_t *map_schema(void)
{
    return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type", "string");
}

/* What people declare; what a server adds (uid, resourceVersion, ...) is taken and left alone. */
static json_t *metadata_schema(void)
{
    json_t *properties = json_object();

    for (size_t i = 0; i < MANIFEST_META_KEYS; i++)
        json_object_set_new(properties, manifest_meta_keys[i], json_object());
    json_object_set_new(properties, "name",
                        json_pack("{s:s, s:s, s:i}", "type", "string", "pattern",
                                  "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "maxLength", 253));
    json_object_set_new(properties, "labels", map_schema());
    json_object_set_new(properties, "annotations", map_schema());
    return json_pack("{s:s, s:[s], s:o}", "type", "object", "required", "name", "properties",
                     properties);
}

static void set_types(json_t *schema, const char *a, const char *b, const char *c)
{
    json_object_set_new(schema, "type", json_pack("[s, s, s*]", a, b, c));
}

/* From what an API server stores to what the reader of files takes: unknown keys are refused at
 * every level; a quantity may be any number, and an entry of a map a number or a boolean. */
static void as_in_files(json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties"), *child;
    json_t *entries = json_object_get(schema, "additionalProperties");
    const char *key;

    if (json_object_del(schema, "x-kubernetes-int-or-string") == 0)
        set_types(schema, "string", "number", NULL);
    if (json_is_object(entries))
        set_types(entries, "string", "number", "boolean");
    else if (properties && !entries)
        json_object_set_new(schema, "additionalProperties", json_false());
    json_object_foreach(properties, key, child) {
        as_in_files(child);
    }
}

/* JSON Schema (draft 7) of one object as it stands in a file. */
static json_t *file_schema(enum manifest_kind k)
{
    json_t *inner = manifest_schema_json(k), *properties = json_object_get(inner, "properties");
    json_t *schema = json_pack("{s:s, s:s, s:[s, s, s], s:b, s:{s:{s:s}, s:{s:s}, s:o}}", "type",
                               "object", "description", manifest_kind_help(k), "required",
                               "apiVersion", "kind", "metadata", "additionalProperties", 0,
                               "properties", "apiVersion", "const", MANIFEST_API_VERSION, "kind",
                               "const", manifest_kind_name(k), "metadata", metadata_schema());

    json_object_set(json_object_get(schema, "properties"), "spec",
                    json_object_get(properties, "spec"));
    json_object_set(json_object_get(schema, "properties"), "status",
                    json_object_get(properties, "status"));
    json_decref(inner);
    as_in_files(schema);
    return schema;
}

int verb_schema(struct cli *c)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;
    json_t *schema = NULL, *any;
    enum manifest_kind k;

    if (c->options.n_operands) {
        if (manifest_kind_parse(c->options.operands[0], &k) < 0)
            return cli_usage(c,
                             "\"%.60s\" has no schema; there are servedmodel, powerpool, "
                             "powerpolicy",
                             c->options.operands[0]);
        schema = file_schema(k);
    } else {
        any = json_array();
        for (int i = 0; i < KIND_COUNT; i++)
            json_array_append_new(any, file_schema((enum manifest_kind)i));
        schema = json_pack("{s:o}", "oneOf", any);
    }
    json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    write_json(&out, schema);
    json_decref(schema);
    cli_print(&out);
    return EXIT_DONE;
}

int verb_manual(struct cli *c)
{
    static const struct {
        const char *name;
        void (*print)(struct strbuf *out);
    } PAGES[] = { { "huddlectl.1", manual_huddlectl }, { "huddle.yaml.5", manual_huddle_yaml } };
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        if (strcmp(PAGES[i].name, c->options.operands[0]) != 0)
            continue;
        PAGES[i].print(&out);
        cli_print(&out);
        return EXIT_DONE;
    }
    return cli_usage(c, "no page \"%.40s\"; there are huddlectl.1, huddle.yaml.5",
                     c->options.operands[0]);
}
