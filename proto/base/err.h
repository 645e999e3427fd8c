/* Error text that travels beside a return code.
 *
 * A fallible function returns 0, a documented positive outcome, or -errno, and writes one line for
 * people into the caller's `struct err`. Callers add their context in front with err_prefix(), so
 * the line reads from the outside in: "agent.yaml: sampling: period: expected a duration". No
 * memory is allocated; what does not fit is cut at the end and marked with "...". Never holds
 * secrets. */
#ifndef HUDDLE_BASE_ERR_H
#define HUDDLE_BASE_ERR_H

#define ERR_TEXT_MAX 512

struct err {
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT \
    {            \
        {        \
            0    \
        }        \
    }

/* Writes the text and returns `code`. `e` may be NULL: the text is dropped. */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and strerror(-code) behind the text. `code` is a negative errno. */
int err_errno(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " in front of what is there and returns `code`. */
int err_prefix(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
