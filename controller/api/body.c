/* Bodies of requests: see body.h. */
#include "controller/api/body.h"

#include <string.h>
#include <strings.h>

static bool has_type(const struct httpd_call *call, const char *type)
{
    const char *given = httpd_header(call, "Content-Type");
    size_t n = given ? strcspn(given, "; ") : 0;

    return given && n == strlen(type) && strncasecmp(given, type, n) == 0;
}

static int too_long(struct err *e)
{
    (void)err_set(e, -1, "the request's body is too long");
    return 413;
}

static int parse_json(const char *text, size_t n, json_t **ret, struct err *e)
{
    json_error_t why;

    *ret = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (*ret)
        return 0;
    (void)err_set(e, -1, "no valid JSON: line %d, column %d: %s", why.line, why.column, why.text);
    return 400;
}

int body_check(const json_t *object, struct manifest **ret_m, struct err *e)
{
    return manifest_from_json(object, "", ret_m, e) < 0 ? 422 : 0;
}

/* YAML is read by the manifest's own reader, so that errors name line and column. */
static int read_yaml(const char *text, size_t n, struct manifest **ret_m, struct err *e)
{
    struct manifest **list = NULL;
    size_t n_list = 0;

    if (manifest_parse("body", text, n, &list, &n_list, e) < 0)
        return 422;
    if (n_list != 1) {
        manifest_list_free(list, n_list);
        (void)err_set(e, -1, "%zu objects, one is expected", n_list);
        return 400;
    }
    *ret_m = list[0];
    free(list);
    return 0;
}

int body_manifest(const struct httpd_call *call, struct manifest **ret_m, struct err *e)
{
    size_t n = 0;
    const char *text = httpd_body(call, &n);
    json_t *object = NULL;
    int status;

    if (!text)
        return too_long(e);
    if (has_type(call, "application/yaml"))
        return read_yaml(text, n, ret_m, e);
    if (!has_type(call, "application/json")) {
        (void)err_set(e, -1, "Content-Type: expected application/json or application/yaml");
        return 415;
    }
    status = parse_json(text, n, &object, e);
    if (status == 0)
        status = body_check(object, ret_m, e);
    json_decref(object);
    return status;
}

int body_object(const struct httpd_call *call, const char *type, bool optional, json_t **ret_object,
                struct err *e)
{
    size_t n = 0;
    const char *text = httpd_body(call, &n);
    json_t *object = NULL;
    int status;

    if (!text)
        return too_long(e);
    *ret_object = NULL;
    if (optional && n == 0)
        return 0;
    if (!has_type(call, type)) {
        (void)err_set(e, -1, "Content-Type: expected %s", type);
        return 415;
    }
    status = parse_json(text, n, &object, e);
    if (status)
        return status;
    if (!json_is_object(object)) {
        json_decref(object);
        (void)err_set(e, -1, "expected a JSON object");
        return 400;
    }
    *ret_object = object;
    return 0;
}
