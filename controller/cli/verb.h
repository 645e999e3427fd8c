/* The verbs of huddlectl: one table (verbs.c) makes the dispatch, --help, the manual page and shell
 * completion. A verb is a row and a function; files are named verb_GROUP.c. */
#ifndef HUDDLE_CLI_VERB_H
#define HUDDLE_CLI_VERB_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controller/cli/options.h"
#include "controller/cli/session.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct verb;

struct cli {             /* one run of the program */
    const char *program; /* "huddlectl", or "kubectl huddle" */
    const struct verb *verb;
    struct options options;
    struct session session; /* after cli_connect() */
    bool colour;            /* standard output is a terminal that may be coloured */
    int64_t now_ms;         /* wall clock when the program began */
};

struct verb {
    const char *name;     /* "get"; two words for "token create" */
    const char *group;    /* heading in the help */
    const char *operands; /* "KIND [NAME...]", "" */
    const char *summary;  /* one line, lower case */
    const char *text;     /* paragraphs */
    const char *examples; /* lines; "# comment" lines among them */
    option_set takes;     /* TAKES() besides those of every verb: see verb_takes() */
    int least, most;      /* operands; most -1: any number */
    /* "kinds" or "kinds to delete" (and names), "nodes", words to choose from, or NULL */
    const char *completes;
    int (*run)(struct cli *c);
};

/* All options of a verb (NULL: of none). One that talks to Kubernetes takes a kubeconfig in place
 * of huddle's own server. */
option_set verb_takes(const struct verb *v);

/* The rows in the order of the help; closed by a NULL name. */
const struct verb *verbs(void);

/* Finds the verb named by the first operands; how many words it took. NULL with "did you mean". */
const struct verb *verb_find(const struct options *o, size_t *ret_words, struct err *e);

/* Help of one verb (NULL: of the program) for `program`. */
void verb_help(struct strbuf *out, const struct verb *v, const char *program, bool colour);

/* Runs the program: the whole of main(). */
int cli_run(int argc, char **argv);

/* Opens the session on first use: to the server that is named, or, called by kubectl or with a
 * kubeconfig, through the API server of Kubernetes. 0, or EXIT_FAILED after saying why. */
int cli_connect(struct cli *c);
int cli_open_session(struct cli *c, struct err *e); /* the same; -errno, and nothing is said */

/* Print "error: ..." to standard error and return the exit code. */
int cli_fail(const struct err *e);
int cli_usage(const struct cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads what -f names; each refusal is told. EXIT_DONE, EXIT_FAILED or EXIT_USAGE. */
struct manifest_files;
int cli_read_files(struct cli *c, struct manifest_files *f);

/* Writes the text to standard output. */
void cli_print(const struct strbuf *text);

/* Each in the file named in its row's group: verb_get.c, verb_node.c, ... */
typedef int verb_fn(struct cli *c);
verb_fn verb_get, verb_describe, verb_apply, verb_diff, verb_delete, verb_plan, verb_explain,
    verb_top, verb_events, verb_node, verb_release, verb_power_test, verb_cluster, verb_report,
    verb_simulate, verb_token_create, verb_token_list, verb_token_delete, verb_token_join,
    verb_node_revoke, verb_version, verb_schema, verb_manual, verb_completion, verb_complete,
    verb_doctor, verb_auth_check, verb_discover, verb_move, verb_install_crds;

#endif
