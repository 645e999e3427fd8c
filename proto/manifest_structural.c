/* The structural schema of a spec: see manifest_structural.h. */
#include "proto/manifest_structural.h"

#include <string.h>

#include "proto/base/array.h"
#include "proto/base/strbuf.h"
#include "proto/manifest_rules.h"
#include "proto/manifest_schema.h"
#include "proto/quantity.h"

/* --- values with a unit: patterns take a part of what quantity.c reads, all of it exact ----------
 */

#define UP_TO_3 "(\\.[0-9]{1,3})?"
#define DURATION_PATTERN "^(0|[0-9]{1,6}" UP_TO_3 "d|([0-9]{1,6}" UP_TO_3 "[smh]|[0-9]{1,12}ms)+)$"
#define CPU_PATTERN "^([0-9]{1,6}" UP_TO_3 "|[0-9]{1,9}m)$"
/* A fraction is whole in bytes: of thousands by its three digits, of 1024 by eighths. */
#define BYTES_PATTERN                                                                   \
    "^([0-9]{1,18}|[0-9]{1,15}(k|Ki)|[0-9]{1,12}(M|Mi)|[0-9]{1,9}(G|Gi)|[0-9]{1,6}T|"   \
    "([0-9]{1,6}|[1-7][0-9]{6})Ti|[0-9]{1,3}(P|Pi)|[0-9]{1,3}\\.[0-9]{1,3}(k|M|G|T|P)|" \
    "[0-9]{1,3}\\.(0|5|25|75|125|375|625|875)(Ki|Mi|Gi|Ti|Pi))$"
#define WATTS_PATTERN                                          \
    "^([0-9]{1,18}mW|[0-9]{1,15}W|[0-9]{1,12}kW|[0-9]{1,9}MW|" \
    "[0-9]{1,9}\\.[0-9]{1,3}[kM]?W)$"
#define JOULES_PATTERN                                                \
    "^([0-9]{1,18}mJ|[0-9]{1,15}J|[0-9]{1,12}kJ|[0-9]{1,9}(MJ|k?Wh)|" \
    "[0-9]{1,9}\\.[0-9]{1,3}([kM]?J|k?Wh))$"
#define UNIT_TEXT_MAX 32

static void add_rule(json_t *schema, const char *cel, const char *message, const char *path)
{
    json_t *rules = json_object_get(schema, "x-kubernetes-validations");
    json_t *rule = json_pack("{s:s, s:s}", "rule", cel, "message", message);

    if (path)
        json_object_set_new(rule, "fieldPath", json_sprintf(".%s", path));
    if (!rules) {
        rules = json_array();
        json_object_set_new(schema, "x-kubernetes-validations", rules);
    }
    json_array_append_new(rules, rule);
}

static json_t *unit_text(const char *pattern)
{
    return json_pack("{s:s, s:i, s:s}", "type", "string", "maxLength", UNIT_TEXT_MAX, "pattern",
                     pattern);
}

static void bound_duration(json_t *schema, const char *relation, const char *words, int64_t ms)
{
    AUTO(strbuf) struct strbuf cel = STRBUF_INIT, message = STRBUF_INIT;
    char text[QUANTITY_TEXT_MAX];

    quantity_format_duration(ms, text);
    strbuf_printf(&cel, "%s %s %lld", CEL_DURATION_MS("self"), relation, (long long)ms);
    strbuf_printf(&message, "must be at %s %s", words, text);
    add_rule(schema, strbuf_text(&cel), strbuf_text(&message), NULL);
}

static json_t *duration(const struct field *f)
{
    json_t *schema = unit_text(DURATION_PATTERN);

    if (f->least > 0)
        bound_duration(schema, ">=", "least", f->least);
    if (f->most && f->most != INT64_MAX)
        bound_duration(schema, "<=", "most", f->most);
    return schema;
}

/* A whole number, or a text. The bounds of numbers hold for whole numbers alone. */
static json_t *quantity(const struct field *f, const char *pattern)
{
    json_t *schema = unit_text(pattern);
    int64_t one = f->type == FIELD_CPU ? 1000 : 1, most = f->most / one;
    AUTO(strbuf) struct strbuf cel = STRBUF_INIT, message = STRBUF_INIT;

    json_object_del(schema, "type");
    json_object_set_new(schema, "x-kubernetes-int-or-string", json_true());
    json_object_set_new(schema, "minimum", json_integer((f->least + one - 1) / one));
    if (f->most != INT64_MAX)
        json_object_set_new(schema, "maximum", json_integer(most));
    if (f->least > 0)
        add_rule(schema, "type(self) == int || self.matches('[1-9]')", "must be more than 0", NULL);
    if (f->type != FIELD_CPU || f->most == INT64_MAX)
        return schema;
    strbuf_printf(&cel,
                  "type(self) == int || (self.endsWith('m') ? int(self.replace('m', '')) <= %lld : "
                  "double(self) <= %lld.0)",
                  (long long)f->most, (long long)most);
    strbuf_printf(&message, "must be at most %lld", (long long)most);
    add_rule(schema, strbuf_text(&cel), strbuf_text(&message), NULL);
    return schema;
}

/* --- other values ------------------------------------------------------------------------------
 */

json_t *structural_text(int64_t most)
{
    return json_pack("{s:s, s:I, s:s}", "type", "string", "maxLength", (json_int_t)most, "pattern",
                     "^[^\\x00]*$");
}

static json_t *list_of(json_t *items, int64_t most)
{
    return json_pack("{s:s, s:I, s:s, s:o}", "type", "array", "maxItems", (json_int_t)most,
                     "x-kubernetes-list-type", "atomic", "items", items);
}

static json_t *numbers(const struct field *f)
{
    AUTO(strbuf) struct strbuf cel = STRBUF_INIT, message = STRBUF_INIT;
    json_t *schema = list_of(json_pack("{s:s, s:i}", "type", "number", "minimum", 0), f->most);

    strbuf_printf(&cel, "size(self) == 0 || size(self) == %lld", (long long)f->most);
    strbuf_printf(&message, "expected a list of %lld numbers", (long long)f->most);
    add_rule(schema, strbuf_text(&cel), strbuf_text(&message), NULL);
    return schema;
}

static json_t *whole(const struct field *f)
{
    json_t *schema = json_pack("{s:s, s:s, s:I}", "type", "integer", "format", "int64", "minimum",
                               (json_int_t)f->least);

    if (f->most && f->most != INT64_MAX)
        json_object_set_new(schema, "maximum", json_integer(f->most));
    return schema;
}

static json_t *gpus(const struct field *f)
{
    json_t *schema = json_pack("{s:s, s:i, s:I}", "type", "number", "minimum", 0, "maximum",
                               (json_int_t)(f->most / 1000));

    add_rule(schema, "self <= 1.0 || self == double(int(self))",
             "expected a whole number, or a fraction below 1", NULL);
    add_rule(schema,
             "self * 1000.0 - double(int(self * 1000.0 + 0.5)) <= 0.000000001 && "
             "double(int(self * 1000.0 + 0.5)) - self * 1000.0 <= 0.000000001",
             "expected at most 256, in steps of 0.001", NULL);
    return schema;
}

/* The one list of objects: windows of a PowerPolicy. */
static json_t *windows(void)
{
    static const char DAY[] = "(Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
    static const char TIME[] = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
    AUTO(strbuf) struct strbuf days = STRBUF_INIT;
    json_t *window;

    strbuf_printf(&days, "^(\\*|%s(-%s)?(,%s(-%s)?)*)$", DAY, DAY, DAY, DAY);
    window = json_pack(
        "{s:s, s:{s:{s:s, s:b}, s:{s:s, s:s, s:i, s:s}, s:{s:s, s:s, s:i, s:s}, s:{s:s, s:s, s:i, "
        "s:s}, s:{s:s, s:s, s:i, s:i, s:s}}}",
        "type", "object", "properties", "deny", "type", "boolean", "default", 0, "days", "type",
        "string", "default", "*", "maxLength", FIELD_TEXT_MAX, "pattern", strbuf_text(&days),
        "start", "type", "string", "default", "00:00", "maxLength", 5, "pattern", TIME, "end",
        "type", "string", "default", "24:00", "maxLength", 5, "pattern", TIME, "zone", "type",
        "string", "default", "UTC", "minLength", 1, "maxLength", FIELD_TEXT_MAX, "pattern",
        "^[^\\x00]*$");
    return list_of(window, MANIFEST_WINDOWS_MAX);
}

static json_t *word(const struct field *f)
{
    return json_pack("{s:s, s:o}", "type", "string", "enum", field_words(f->words));
}

static json_t *value_schema(const struct field *f)
{
    switch (f->type) {
    case FIELD_INT:
        return whole(f);
    case FIELD_NUMBER:
        return json_pack("{s:s, s:i}", "type", "number", "minimum", 0);
    case FIELD_SHARE:
        return json_pack("{s:s, s:i, s:i}", "type", "number", "minimum", 0, "maximum", 1);
    case FIELD_GPU:
        return gpus(f);
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_LIST:
        return list_of(structural_text(FIELD_TEXT_MAX), FIELD_ENTRIES_MAX);
    case FIELD_MAP:
        return json_pack("{s:s, s:i, s:o}", "type", "object", "maxProperties", FIELD_ENTRIES_MAX,
                         "additionalProperties", structural_text(FIELD_TEXT_MAX));
    case FIELD_NUMBERS:
        return numbers(f);
    case FIELD_CUSTOM:
        return windows();
    case FIELD_DURATION:
        return duration(f);
    case FIELD_CPU:
        return quantity(f, CPU_PATTERN);
    case FIELD_BYTES:
        return quantity(f, BYTES_PATTERN);
    case FIELD_WATTS:
        return unit_text(WATTS_PATTERN);
    case FIELD_JOULES:
        return unit_text(JOULES_PATTERN);
    default:
        return f->words ? word(f) : structural_text(FIELD_TEXT_MAX);
    }
}

static json_t *field_schema(const struct field *f)
{
    json_t *schema = json_pack("{s:s}", "description", f->help);
    json_t *def = f->def && f->def[0] ? field_default(f) : NULL;
    json_t *value = value_schema(f);
    double share;

    if (def && f->type == FIELD_SHARE && quantity_share(f->def, &share, NULL) == 0) {
        json_decref(def);
        def = json_real(share);
    }
    if (def)
        json_object_set_new(schema, "default", def);
    json_object_update(schema, value);
    json_decref(value);
    return schema;
}

/* --- the tree ----------------------------------------------------------------------------------
 */

static json_t *object_below(json_t *object, const char *key, size_t n)
{
    json_t *properties = json_object_get(object, "properties"), *child;

    if (!properties) {
        properties = json_object();
        json_object_set_new(object, "properties", properties);
    }
    child = json_object_getn(properties, key, n);
    if (!child) {
        child = json_pack("{s:s}", "type", "object");
        json_object_setn_new(properties, key, n, child);
    }
    return child;
}

void structural_put(json_t *object, const char *path, json_t *schema)
{
    for (size_t n; path[n = strcspn(path, ".[")]; path += n + 1) {
        object = object_below(object, path, n);
        if (path[n] == '[') {
            n += 2;
            object = json_object_get(object, "items");
        }
    }
    if (!json_object_get(object, "properties"))
        json_object_set_new(object, "properties", json_object());
    json_object_set_new(json_object_get(object, "properties"), path, schema);
}

/* A server fills defaults in where the object around them is: so that is by default, too. */
static bool fill_in(json_t *schema)
{
    json_t *child;
    const char *key;
    bool any = false;

    json_object_foreach(json_object_get(schema, "properties"), key, child) {
        any |= json_object_get(child, "default") != NULL || fill_in(child);
    }
    if (any)
        json_object_set_new(schema, "default", json_object());
    return any;
}

json_t *manifest_structural(enum manifest_kind k)
{
    json_t *spec = json_pack("{s:s, s:s}", "description", manifest_kind_help(k), "type", "object");

    for (const struct field *f = manifest_fields(k); f->path; f++)
        structural_put(spec, f->path, field_schema(f));
    if (fill_in(spec)) /* but a default of the whole would have to keep the rules as it stands */
        json_object_del(spec, "default");
    for (const struct manifest_rule *r = manifest_rules(); r->path; r++)
        if (r->kind == k)
            add_rule(spec, r->cel, r->what, r->path);
    return spec;
}
