/* Redfish resources out of JSON: see redfish_body.h. */
#include "controller/power/redfish_body.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controller/power/exec_answer.h"
#include "proto/base/array.h"

#define PATH_LONGEST 1024

static json_t *load(const char *bytes, size_t n, const char *what, struct err *e)
{
    json_t *o = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, NULL);

    if (json_is_object(o))
        return o;
    json_decref(o);
    err_text(e, "%s: not a JSON object", what);
    return NULL;
}

static const char *id_of(const json_t *reference)
{
    return json_string_value(json_object_get(reference, "@odata.id"));
}

/* --- references ---------------------------------------------------------------------------------
 */

/* Spaces and control characters would end the line of a request, or split a header. */
static bool printable(const char *path)
{
    for (const char *c = path; *c; c++)
        if (*c <= ' ' || *c > '~')
            return false;
    return true;
}

int redfish_path(const char *origin, const char *reference, char **ret_path, struct err *e)
{
    size_t n = strlen(origin);
    const char *path = reference;

    if (!reference)
        return err_set(e, -EBADMSG, "a reference (@odata.id) is missing");
    if (strncasecmp(reference, origin, n) == 0 && reference[n] == '/')
        path = reference + n;
    if (path[0] != '/' || path[1] == '/' || !printable(path) || strlen(path) > PATH_LONGEST)
        return err_set(e, -EBADMSG, "a reference leads to another server, or is no path");
    *ret_path = xstrdup(path);
    return 0;
}

/* --- service root and collections ---------------------------------------------------------------
 */

int redfish_root_parse(const char *origin, const char *bytes, size_t n,
                       struct redfish_root *ret_root, struct err *e)
{
    json_t *o = load(bytes, n, "service root", e);
    const char *sessions = id_of(json_object_get(json_object_get(o, "Links"), "Sessions"));
    struct redfish_root root = { 0 };
    int r = o ? 0 : -EBADMSG;

    if (r == 0)
        r = redfish_path(origin, id_of(json_object_get(o, "Systems")), &root.systems, e);
    if (r == 0 && sessions)
        r = redfish_path(origin, sessions, &root.sessions, e);
    json_decref(o);
    if (r < 0) {
        redfish_root_done(&root);
        return r;
    }
    *ret_root = root;
    return 0;
}

void redfish_root_done(struct redfish_root *r)
{
    free(r->systems);
    free(r->sessions);
    *r = (struct redfish_root){ 0 };
}

int redfish_member_parse(const char *origin, const char *bytes, size_t n, char **ret_path,
                         size_t *ret_count, struct err *e)
{
    json_t *o = load(bytes, n, "Systems", e);
    const json_t *members = json_object_get(o, "Members");
    int r = -EBADMSG;

    *ret_count = json_array_size(members);
    if (o && !json_is_array(members))
        err_text(e, "Systems: Members: expected a list");
    else if (o && *ret_count != 1)
        r = -ENOENT;
    else if (o)
        r = redfish_path(origin, id_of(json_array_get(members, 0)), ret_path, e);
    json_decref(o);
    return r;
}

/* --- the system ---------------------------------------------------------------------------------
 */

static void read_resets(const json_t *values, struct redfish_resets *resets)
{
    static const struct {
        const char *word;
        unsigned value;
    } known[] = { { "On", REDFISH_ON },
                  { "GracefulShutdown", REDFISH_GRACEFUL_SHUTDOWN },
                  { "ForceOff", REDFISH_FORCE_OFF } };
    size_t used = 0;

    resets->known = true;
    for (size_t i = 0; i < json_array_size(values); i++) {
        const char *word = json_string_value(json_array_get(values, i));
        char line[40];
        int n;

        if (!word)
            continue;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            if (strcmp(word, known[k].word) == 0)
                resets->values |= known[k].value;
        exec_line(line, sizeof(line), word, strlen(word));
        n = snprintf(resets->listed + used, sizeof(resets->listed) - used, "%s%s", used ? ", " : "",
                     line);
        if (n < 0 || (size_t)n >= sizeof(resets->listed) - used)
            break; /* cut: it is for people */
        used += (size_t)n;
    }
}

static void read_power(const json_t *system, struct redfish_system *s)
{
    const char *word = json_string_value(json_object_get(system, "PowerState"));

    s->power = POWER_UNKNOWN;
    if (!word)
        return;
    exec_line(s->word, sizeof(s->word), word, strlen(word));
    if (strcmp(word, "On") == 0)
        s->power = POWER_ON;
    else if (strcmp(word, "Off") == 0)
        s->power = POWER_OFF;
}

static int read_action(const char *origin, const json_t *system, struct redfish_system *s,
                       struct err *e)
{
    const json_t *actions = json_object_get(system, "Actions"),
                 *reset = json_object_get(actions, "#ComputerSystem.Reset"),
                 *values = json_object_get(reset, "ResetType@Redfish.AllowableValues");
    const char *target = json_string_value(json_object_get(reset, "target")),
               *info = json_string_value(json_object_get(reset, "@Redfish.ActionInfo"));
    int r = 0;

    if (target)
        r = redfish_path(origin, target, &s->target, e);
    if (r == 0 && info)
        r = redfish_path(origin, info, &s->action_info, e);
    if (json_is_array(values))
        read_resets(values, &s->resets);
    return r;
}

int redfish_system_parse(const char *origin, const char *bytes, size_t n,
                         struct redfish_system *ret_system, struct err *e)
{
    json_t *o = load(bytes, n, "the system", e);
    struct redfish_system s = { 0 };
    int r = o ? read_action(origin, o, &s, e) : -EBADMSG;

    read_power(o, &s);
    s.uuid = xstrdup(json_string_value(json_object_get(o, "UUID")));
    json_decref(o);
    if (r < 0) {
        redfish_system_done(&s);
        return r;
    }
    *ret_system = s;
    return 0;
}

void redfish_system_done(struct redfish_system *s)
{
    free(s->uuid);
    free(s->target);
    free(s->action_info);
    *s = (struct redfish_system){ 0 };
}

int redfish_resets_parse(const char *bytes, size_t n, struct redfish_resets *ret_resets,
                         struct err *e)
{
    json_t *o = load(bytes, n, "ActionInfo", e);
    const json_t *parameters = json_object_get(o, "Parameters");
    struct redfish_resets resets = { 0 };
    bool loaded = o != NULL;

    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *p = json_array_get(parameters, i), *name = json_object_get(p, "Name"),
                     *values = json_object_get(p, "AllowableValues");

        if (json_is_string(name) && strcmp(json_string_value(name), "ResetType") == 0 &&
            json_is_array(values))
            read_resets(values, &resets);
    }
    json_decref(o);
    if (!loaded)
        return -EBADMSG;
    *ret_resets = resets;
    return 0;
}

/* --- errors -------------------------------------------------------------------------------------
 */

void redfish_error_line(const char *bytes, size_t n, char *line, size_t size)
{
    json_t *o = json_loadb(bytes, n, 0, NULL);
    const json_t *error = json_object_get(o, "error"),
                 *infos = json_object_get(error, "@Message.ExtendedInfo"),
                 *info = json_is_array(infos) ? json_array_get(infos, 0) : infos;
    const char *text = json_string_value(json_object_get(info, "Message"));

    if (!text)
        text = json_string_value(json_object_get(error, "message"));
    exec_line(line, size, text ? text : "", text ? strlen(text) : 0);
    json_decref(o);
}
