/* Error text: see err.h. Bounded, allocation-free, and safe to call with a NULL target. */
#include "proto/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct err *e, int wanted)
{
    if (wanted >= ERR_TEXT_MAX)
        memcpy(e->text + ERR_TEXT_MAX - 4, "...", 4);
}

int err_set(struct err *e, int code, const char *format, ...)
{
    va_list ap;

    if (!e)
        return code;
    va_start(ap, format);
    mark_cut(e, vsnprintf(e->text, sizeof(e->text), format, ap));
    va_end(ap);
    return code;
}

int err_errno(struct err *e, int code, const char *format, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    if (!e)
        return code;
    va_start(ap, format);
    (void)vsnprintf(what, sizeof(what), format, ap);
    va_end(ap);
    return err_set(e, code, "%s: %s", what, strerror(-code));
}

int err_prefix(struct err *e, int code, const char *format, ...)
{
    char front[ERR_TEXT_MAX], rest[ERR_TEXT_MAX];
    va_list ap;

    if (!e)
        return code;
    memcpy(rest, e->text, sizeof(rest));
    va_start(ap, format);
    (void)vsnprintf(front, sizeof(front), format, ap);
    va_end(ap);
    return err_set(e, code, rest[0] ? "%s: %s" : "%s%s", front, rest);
}
