/* Looking into JSON objects: see look.h. */
#include "controller/cli/look.h"

#include <math.h>
#include <string.h>

#include "proto/base/clock.h"

const json_t *look(const json_t *object, const char *path)
{
    while (*path && object) {
        size_t n = strcspn(path, ".");

        object = json_object_getn(object, path, n);
        path += n + (path[n] == '.');
    }
    return json_is_null(object) ? NULL : object;
}

const char *look_text(const json_t *object, const char *path)
{
    const char *text = json_string_value(look(object, path));

    return text && *text ? text : NULL;
}

double look_number(const json_t *object, const char *path)
{
    const json_t *v = look(object, path);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

bool look_true(const json_t *object, const char *path)
{
    return json_is_true(look(object, path));
}

int64_t look_time(const json_t *object, const char *path)
{
    const char *text = look_text(object, path);
    int64_t wall_ms;

    return text && clock_parse(text, &wall_ms) == 0 ? wall_ms : 0;
}

const char *look_name(const json_t *object)
{
    const char *name = look_text(object, "metadata.name");

    return name ? name : "";
}

const char *look_shown(const json_t *object)
{
    const char *pod = look_text(object, "status.pod");

    return pod ? pod : look_name(object);
}
