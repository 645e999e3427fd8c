/* jansson values as YAML: see yaml_print() in yaml.h. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "proto/base/array.h"
#include "proto/base/yaml.h"
#include "proto/base/yaml_private.h"

/* Words and shapes that YAML 1.1 or 1.2 does not take for a string. */
static bool must_be_quoted(const char *s)
{
    static const char *const WORDS[] = { "y", "yes", "n", "no", "on", "off", "<<", "=" };
    json_t *plain = yaml_plain_value(s);
    size_t digits = strspn(s, "+-0123456789");

    json_decref(plain);
    if (plain)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++)
        if (strcasecmp(s, WORDS[i]) == 0)
            return true;
    /* 1_000, 08:30, -.inf, 2026-11-23T07:00:00Z; a date is digits to its end: strchr() finds NUL */
    return *s == '.' || (digits && strchr("_:.T", s[digits])) ||
           (digits && s[digits - 1] == '0' && strchr("xob", s[digits]));
}

static bool is_steering(const unsigned char *s)
{
    return *s == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0) ||    /* DEL, C1 */
           (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0x8e) || /* direction, separators */
           (s[0] == 0xe2 && s[1] == 0x81 && (s[2] & 0xf0) == 0xa0) ||
           (s[0] == 0xef && s[1] == 0xbb && s[2] == 0xbf);
}

static yaml_scalar_style_t style_of(const char *s)
{
    for (const unsigned char *c = (const unsigned char *)s; *c; c++)
        if (is_steering(c))
            return YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return must_be_quoted(s) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
}

static void number_print(double v, char *text, size_t n)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, n, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    if (!strpbrk(text, ".en"))
        (void)strncat(text, ".0", n - strlen(text) - 1); /* still a real when read again */
}

static void emit(yaml_emitter_t *y, yaml_event_t *event)
{
    if (!yaml_emitter_emit(y, event))
        abort(); /* memory is exhausted: the sink cannot fail */
}

static void emit_scalar(yaml_emitter_t *y, const char *text, yaml_scalar_style_t style)
{
    yaml_event_t event;

    if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, -1, 1, 1,
                                      style))
        abort();
    emit(y, &event);
}

static void emit_value(yaml_emitter_t *y, const json_t *value)
{
    yaml_event_t event;
    char text[40];
    const char *key;
    json_t *child;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        (void)yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
        emit(y, &event);
        json_object_foreach((json_t *)(uintptr_t)value, key, child) {
            emit_scalar(y, key, style_of(key));
            emit_value(y, child);
        }
        (void)yaml_mapping_end_event_initialize(&event);
        emit(y, &event);
        break;
    case JSON_ARRAY:
        (void)yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                   YAML_BLOCK_SEQUENCE_STYLE);
        emit(y, &event);
        for (size_t i = 0; i < json_array_size(value); i++)
            emit_value(y, json_array_get(value, i));
        (void)yaml_sequence_end_event_initialize(&event);
        emit(y, &event);
        break;
    case JSON_STRING:
        emit_scalar(y, json_string_value(value), style_of(json_string_value(value)));
        break;
    case JSON_INTEGER:
        (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
        emit_scalar(y, text, YAML_PLAIN_SCALAR_STYLE);
        break;
    case JSON_REAL:
        number_print(json_real_value(value), text, sizeof(text));
        emit_scalar(y, text, YAML_PLAIN_SCALAR_STYLE);
        break;
    default:
        emit_scalar(y,
                    json_is_null(value)   ? "null"
                    : json_is_true(value) ? "true"
                                          : "false",
                    YAML_PLAIN_SCALAR_STYLE);
    }
}

/* libyaml's sink. In a double-quoted scalar, and only there, steering characters can stand; \xNN
 * and \uNNNN are their escapes. */
static int print_bytes(void *data, unsigned char *bytes, size_t n)
{
    struct strbuf *out = data;

    strbuf_add(out, bytes, n);
    return 1;
}

static void escape_steering(struct strbuf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        if (!is_steering(c)) {
            strbuf_putc(out, (char)*c++);
        } else if (*c == 0x7f) {
            strbuf_puts(out, "\\x7F");
            c++;
        } else if (*c == 0xc2) {
            strbuf_printf(out, "\\x%02X", c[1]);
            c += 2;
        } else {
            strbuf_printf(out, "\\u%04X",
                          (unsigned)((c[0] & 15) << 12 | (c[1] & 63) << 6 | (c[2] & 63)));
            c += 3;
        }
    }
}

void yaml_print(struct strbuf *out, const json_t *value)
{
    AUTO(strbuf) struct strbuf raw = STRBUF_INIT;
    yaml_emitter_t y;
    yaml_event_t event;

    if (!yaml_emitter_initialize(&y))
        abort();
    yaml_emitter_set_output(&y, print_bytes, &raw);
    yaml_emitter_set_unicode(&y, 1);
    yaml_emitter_set_width(&y, -1);
    (void)yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(&y, &event);
    (void)yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(&y, &event);
    emit_value(&y, value);
    (void)yaml_document_end_event_initialize(&event, 1);
    emit(&y, &event);
    (void)yaml_stream_end_event_initialize(&event);
    emit(&y, &event);
    yaml_emitter_delete(&y);
    escape_steering(out, strbuf_text(&raw));
}
