/* A walk over brackets and strings: see kube_peek.h. It keeps the depth and how much of the path
 * the open objects are, so nesting costs nothing. */
#include "controller/kube_client/kube_peek.h"

#include <string.h>

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The closing quote of the string that begins behind `p`; `end` where it is cut. */
static const char *string_end(const char *p, const char *end)
{
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end ? p : end;
}

static bool copy_string(const char *p, const char *end, char *ret, size_t size)
{
    const char *close = string_end(p, end);
    size_t n = (size_t)(close - p);

    if (close == end || n >= size || memchr(p, '\\', n))
        return false;
    memcpy(ret, p, n);
    ret[n] = '\0';
    return true;
}

bool kube_peek(const char *json, size_t n, const char *const *path, char *ret, size_t size)
{
    const char *end = json + n, *p = json;
    size_t depth = 0, matched = 0; /* the first `matched` names are those of open objects */

    while (p < end) {
        const char *begin = p + 1, *close, *value;

        if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            if (depth <= matched + 1)
                return false; /* the object that should have had it is over */
            depth--;
        }
        if (*p++ != '"')
            continue;
        close = string_end(begin, end);
        if (close == end)
            return false;
        p = close + 1;
        value = skip_blanks(p, end);
        if (depth != matched + 1 || value == end || *value != ':')
            continue;
        if ((size_t)(close - begin) != strlen(path[matched]) ||
            memcmp(begin, path[matched], (size_t)(close - begin)) != 0)
            continue;
        p = skip_blanks(value + 1, end);
        if (!path[matched + 1])
            return p < end && *p == '"' && copy_string(p + 1, end, ret, size);
        if (p == end || *p != '{')
            return false;
        matched++;
    }
    return false;
}
