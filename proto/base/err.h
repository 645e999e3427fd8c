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

/* Writes the text; `e` may be NULL: the text is dropped. errno stays as it is. */
void err_text(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As err_text, with ": " and strerror(-code) behind the text. `code` is a negative errno. */
void err_text_errno(struct err *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " in front of what is there. */
void err_text_before(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline int err_code(int code)
{
    return code;
}

/* The same, with the value `code`, so that one line says and returns it: return err_set(e, -EINVAL,
 * ...). Macros, for every reader of the call, a static analyzer too, sees which code comes back;
 * `code` stands twice in err_errno(). */
#define err_set(e, code, ...) (err_text(e, __VA_ARGS__), err_code(code))
#define err_errno(e, code, ...) (err_text_errno(e, code, __VA_ARGS__), err_code(code))
#define err_prefix(e, code, ...) (err_text_before(e, __VA_ARGS__), err_code(code))

#endif
