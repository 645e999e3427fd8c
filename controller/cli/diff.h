/* Unified diff of two texts by lines: E. W. Myers, "An O(ND) Difference Algorithm and Its
 * Variations" (1986). Pure. */
#ifndef HUDDLE_CLI_DIFF_H
#define HUDDLE_CLI_DIFF_H

#include <stdbool.h>

#include "proto/base/strbuf.h"

/* Appends the diff with three lines of context below "--- before_name" and "+++ after_name";
 * nothing when the texts are equal. Returns whether they differ. Texts that differ in more than
 * 4,000 lines are shown as wholly replaced. */
bool diff_unified(struct strbuf *out, const char *before_name, const char *before,
                  const char *after_name, const char *after, bool colour);

#endif
