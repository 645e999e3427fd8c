/* What a driver program said on stdout: {"power": "on" | "off" | "unknown", "message": text,
 * "watts": number}, each of which may be absent; other keys are for later versions. Pure. */
#ifndef HUDDLE_EXEC_ANSWER_H
#define HUDDLE_EXEC_ANSWER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "controller/controller.h"
#include "proto/base/err.h"

struct exec_answer {
    bool said; /* anything at all */
    enum power_reading reading;
    double watts;  /* or NAN */
    char *message; /* or NULL */
};

#define EXEC_ANSWER_NONE                               \
    (struct exec_answer)                               \
    {                                                  \
        .reading = POWER_UNKNOWN, .watts = (double)NAN \
    }

/* -EBADMSG with the reason in e, when it is no such object. The reason quotes nothing of it: there
 * may be secrets in it. */
int exec_answer_parse(const char *bytes, size_t n, struct exec_answer *ret_answer, struct err *e);
void exec_answer_done(struct exec_answer *a);

/* Makes one printable line of any bytes, cut to `size`: control characters and what is no UTF-8
 * become spaces. */
void exec_line(char *line, size_t size, const char *bytes, size_t n);

/* The same of the last line that is not empty. */
void exec_last_line(char *line, size_t size, const char *bytes, size_t n);

#endif
