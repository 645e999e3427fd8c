/* Where a result goes and in which format, of verbs that print one thing or write it to a file: -o
 * FORMAT and --output FILE. */
#ifndef HUDDLE_CLI_OUTPUT_H
#define HUDDLE_CLI_OUTPUT_H

#include "controller/cli/options.h"
#include "proto/base/strbuf.h"

enum output_format { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_YAML, OUTPUT_CSV, OUTPUT_HTML };

struct output {
    enum output_format format;
    const char *file; /* borrowed from the options; NULL: standard output */
};

/* The format is what `id` (an option of formats) was given, or what the file's ending says, or a
 * table. -EINVAL with what there is when the option does not have it among its choices. */
int output_choose(const struct options *o, enum option_id id, struct output *ret, struct err *e);

/* Writes the text to the file, or prints it (cli_print()). -errno with the file's name. */
int output_write(const struct output *o, const struct strbuf *text, struct err *e);

#endif
