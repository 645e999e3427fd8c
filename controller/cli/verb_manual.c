/* schema and manual: what people may declare, for editors and for man(1), from the tables that the
 * programs themselves read. */
#include <string.h>

#include "controller/cli/manual.h"
#include "controller/cli/verb.h"
#include "controller/cli/writer.h"
#include "proto/base/array.h"
#include "proto/manifest_schema.h"

/* JSON Schema (draft 7) of one object as it stands in a file. */
static json_t *file_schema(enum manifest_kind k)
{
    json_t *inner = manifest_schema_json(k), *properties = json_object_get(inner, "properties");
    json_t *schema = json_pack(
        "{s:s, s:s, s:[s, s, s], s:b, s:{s:{s:s}, s:{s:s}, s:{s:s, s:[s], s:{s:{s:s, s:s, s:i}}}}}",
        "type", "object", "description", manifest_kind_help(k), "required", "apiVersion", "kind",
        "metadata", "additionalProperties", 0, "properties", "apiVersion", "const",
        MANIFEST_API_VERSION, "kind", "const", manifest_kind_name(k), "metadata", "type", "object",
        "required", "name", "properties", "name", "type", "string", "pattern",
        "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", "maxLength", 253);

    json_object_set(json_object_get(schema, "properties"), "spec",
                    json_object_get(properties, "spec"));
    json_object_set(json_object_get(schema, "properties"), "status",
                    json_object_get(properties, "status"));
    json_decref(inner);
    return schema;
}

/* The reader refuses unknown keys: the schema says so at every level. */
static void close_objects(json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties"), *child;
    const char *key;

    if (properties && !json_object_get(schema, "additionalProperties"))
        json_object_set_new(schema, "additionalProperties", json_false());
    json_object_foreach(properties, key, child) {
        close_objects(child);
    }
    if (json_object_get(schema, "items"))
        close_objects(json_object_get(schema, "items"));
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
        for (size_t i = 0; i < json_array_size(any); i++)
            close_objects(json_array_get(any, i));
    }
    json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
    close_objects(schema);
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
