/* Manual pages in man(7), made from the table of verbs and from the table of manifest fields. */
#ifndef HUDDLE_CLI_MANUAL_H
#define HUDDLE_CLI_MANUAL_H

#include "proto/base/strbuf.h"

void manual_huddlectl(struct strbuf *out);
void manual_huddle_yaml(struct strbuf *out);

/* Appends text with what roff would take for its own escaped. */
void manual_text(struct strbuf *out, const char *text);

#endif
