/* Text for terminals. What a server says is untrusted: names, reasons and log lines may hold escape
 * sequences. Everything that is printed for people goes through text_safe(). The width functions
 * need a UTF-8 LC_CTYPE locale (cli_run() sets it). */
#ifndef HUDDLE_CLI_TEXT_H
#define HUDDLE_CLI_TEXT_H

#include <stddef.h>

#include "proto/base/strbuf.h"

/* Appends `text` with control characters, characters that change the direction of writing, and
 * bytes that are not UTF-8 shown as \n, \xNN or \uNNNN. */
void text_safe(struct strbuf *out, const char *text);

/* The same for JSON text as jansson prints it: the same characters, as JSON escapes. */
void text_safe_json(struct strbuf *out, const char *json);

/* Columns that the (safe) text takes on a terminal. */
size_t text_width(const char *text);

/* Appends `text` broken into lines of at most `width` columns, each begun by `indent` blanks except
 * the first. Existing line ends are kept. */
void text_wrap(struct strbuf *out, const char *text, size_t width, size_t indent);

#endif
