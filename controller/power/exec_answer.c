/* The answer of a driver program: see exec_answer.h. Everything here comes from outside. */
#include "controller/power/exec_answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/utf8.h"

#define WATTS_MOST 1e6 /* no node draws a megawatt */

static int read_power(const json_t *v, enum power_reading *ret_reading, struct err *e)
{
    static const struct {
        const char *word;
        enum power_reading reading;
    } words[] = { { "on", POWER_ON }, { "off", POWER_OFF }, { "unknown", POWER_UNKNOWN } };
    const char *text = json_string_value(v);

    *ret_reading = POWER_UNKNOWN;
    if (!v)
        return 0;
    for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *ret_reading = words[i].reading;
            return 0;
        }
    return err_set(e, -EBADMSG, "power: expected \"on\", \"off\" or \"unknown\"");
}

static int read_watts(const json_t *v, double *ret_watts, struct err *e)
{
    double watts = json_number_value(v);

    *ret_watts = NAN;
    if (!v)
        return 0;
    if (!json_is_number(v) || !(watts >= 0 && watts <= WATTS_MOST))
        return err_set(e, -EBADMSG, "watts: expected a number from 0 to %.0f", WATTS_MOST);
    *ret_watts = watts;
    return 0;
}

static int read_message(const json_t *v, char **ret_message, struct err *e)
{
    if (v && !json_is_string(v))
        return err_set(e, -EBADMSG, "message: expected text");
    *ret_message = xstrdup(json_string_value(v));
    return 0;
}

static int read_object(const json_t *o, struct exec_answer *a, struct err *e)
{
    int r;

    if (!json_is_object(o))
        return err_set(e, -EBADMSG, "expected a JSON object");
    if ((r = read_power(json_object_get(o, "power"), &a->reading, e)) < 0 ||
        (r = read_watts(json_object_get(o, "watts"), &a->watts, e)) < 0)
        return r;
    return read_message(json_object_get(o, "message"), &a->message, e);
}

int exec_answer_parse(const char *bytes, size_t n, struct exec_answer *ret_answer, struct err *e)
{
    struct exec_answer a = EXEC_ANSWER_NONE;
    json_error_t why;
    json_t *o;
    size_t blank = 0;
    int r;

    while (blank < n && isspace((unsigned char)bytes[blank]))
        blank++;
    a.said = blank < n;
    if (!a.said) {
        *ret_answer = a;
        return 0;
    }
    o = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);
    if (!o)
        return err_set(e, -EBADMSG, "not JSON (line %d, column %d)", why.line, why.column);
    r = read_object(o, &a, e);
    json_decref(o);
    if (r == 0)
        *ret_answer = a;
    return r;
}

void exec_answer_done(struct exec_answer *a)
{
    free(a->message);
    *a = EXEC_ANSWER_NONE;
}

/* --- lines --------------------------------------------------------------------------------------
 */

void exec_line(char *line, size_t size, const char *bytes, size_t n)
{
    size_t used = 0;

    for (size_t i = 0; i < n;) {
        unsigned char byte = (unsigned char)bytes[i];
        unsigned char window[5] = { 0 }; /* closed by NUL: no sequence runs over the end */
        size_t length;

        memcpy(window, bytes + i, n - i < 4 ? n - i : 4);
        length = byte < 0x20 || byte == 0x7f ? 0 : utf8_length(window);
        if (used + (length ? length : 1) >= size)
            break;
        if (length)
            memcpy(line + used, bytes + i, length);
        else
            line[used] = ' ';
        used += length ? length : 1;
        i += length ? length : 1;
    }
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used] = '\0';
}

void exec_last_line(char *line, size_t size, const char *bytes, size_t n)
{
    size_t begin;

    while (n > 0 && isspace((unsigned char)bytes[n - 1]))
        n--;
    begin = n;
    while (begin > 0 && bytes[begin - 1] != '\n')
        begin--;
    exec_line(line, size, bytes + begin, n - begin);
}
