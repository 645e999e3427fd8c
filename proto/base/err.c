/* Error text: see err.h. Bounded, allocation-free, and safe to call with a NULL target. */
#include "proto/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(struct err *e, int wanted)
{
    if (wanted >= ERR_TEXT_MAX)
        memcpy(e->text + ERR_TEXT_MAX - 4, "...", 4);
}

void err_text(struct err *e, const char *format, ...)
{
    int saved = errno;
    va_list ap;

    if (!e)
        return;
    va_start(ap, format);
    mark_cut(e, vsnprintf(e->text, sizeof(e->text), format, ap));
    va_end(ap);
    errno = saved;
}

void err_text_errno(struct err *e, int code, const char *format, ...)
{
    int saved = errno;
    char what[ERR_TEXT_MAX];
    va_list ap;

    if (!e)
        return;
    va_start(ap, format);
    (void)vsnprintf(what, sizeof(what), format, ap);
    va_end(ap);
    err_text(e, "%s: %s", what, strerror(-code));
    errno = saved;
}

void err_text_before(struct err *e, const char *format, ...)
{
    char front[ERR_TEXT_MAX], rest[ERR_TEXT_MAX];
    int saved = errno;
    va_list ap;

    if (!e)
        return;
    memcpy(rest, e->text, sizeof(rest));
    va_start(ap, format);
    (void)vsnprintf(front, sizeof(front), format, ap);
    va_end(ap);
    err_text(e, rest[0] ? "%s: %s" : "%s%s", front, rest);
    errno = saved;
}
