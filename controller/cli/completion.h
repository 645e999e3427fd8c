/* What may stand next on a command line, for the completion of shells. The scripts of `completion
 * SHELL` call `huddlectl __complete -- WORDS`; all knowledge is in the tables of verbs, options and
 * kinds. */
#ifndef HUDDLE_CLI_COMPLETION_H
#define HUDDLE_CLI_COMPLETION_H

#include <stddef.h>

#include "proto/base/strbuf.h"

/* Names of the objects of a kind, to be appended by completion_offer(); none when the server does
 * not answer soon. */
typedef void completion_names_fn(void *data, const char *plural, const char *prefix,
                                 struct strbuf *out);

/* Appends the candidates for the last word (may be ""), a line each. `words` are those behind the
 * program's name. */
void completion_candidates(struct strbuf *out, const char *const *words, size_t n,
                           completion_names_fn *names, void *data);

/* Appends `word` as a candidate when it begins with `prefix`. */
void completion_offer(struct strbuf *out, const char *before, const char *word, const char *prefix);

/* The script for "bash", "zsh" or "fish"; NULL for any other. */
const char *completion_script(const char *shell);

#endif
