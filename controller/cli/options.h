/* Command line options: one table for all verbs, so that a flag means the same everywhere. A verb
 * names which of them it takes (verb.h). Written as kubectl takes them: --name VALUE, --name=VALUE,
 * -n VALUE, -nVALUE, -n=VALUE; switches alone or with =true or =false; anywhere among the operands;
 * "--" ends them. */
#ifndef HUDDLE_CLI_OPTIONS_H
#define HUDDLE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

enum option_id {
    /* every verb */
    OPT_HELP,
    OPT_SERVER,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_CA,
    OPT_CONFIG,
    OPT_DOOR_KUBECONFIG, /* of verbs that talk to the controller: the way there */
    OPT_DOOR_CONTEXT,
    OPT_ACCOUNT,
    /* some */
    OPT_OUTPUT,
    OPT_OUTPUT_ONE, /* of verbs that print one thing, not a list of objects */
    OPT_WATCH,
    OPT_SELECTOR,
    OPT_NO_HEADERS,
    OPT_FILENAME,
    OPT_RECURSIVE,
    OPT_DRY_RUN,
    OPT_DRY_RUN_SERVER,
    OPT_IGNORE_NOT_FOUND,
    OPT_REASON,
    OPT_WAIT,
    OPT_WAIT_DEFAULT, /* of verbs that wait unless told not to */
    OPT_TIMEOUT,
    OPT_CYCLES,
    OPT_FOR,
    OPT_TYPE,
    OPT_SINCE,
    OPT_FROM,
    OPT_TO,
    OPT_FORMAT,
    OPT_OUTPUT_FILE,
    OPT_ROLE,
    OPT_NODE,
    OPT_EXPIRES,
    OPT_APPEND,
    OPT_TOKENS,
    OPT_PKI,
    OPT_USES,
    OPT_NETWORK,
    OPT_REPLACE,
    OPT_JOIN_EXPIRES,
    OPT_CLIENT,
    OPT_HISTORY,
    OPT_NODES,
    OPT_SIZE,
    OPT_WATTS,
    OPT_PRICE,
    OPT_CARBON,
    OPT_BOOT,
    OPT_SHUTDOWN,
    OPT_LOAD,
    OPT_BOOT_FAILURES,
    OPT_METER_NOISE,
    OPT_SEED,
    OPT_PROMETHEUS,
    OPT_USER,
    OPT_PRESET,
    OPT_QUERY,
    OPT_LABEL,
    OPT_START,
    OPT_END,
    OPT_STEP,
    OPT_RESOLUTION,
    OPT_SET,
    OPT_COMPARE,
    OPT_FORMAT_PAGE,
    /* of verbs that talk to Kubernetes */
    OPT_KUBECONFIG,
    OPT_CONTEXT,
    OPT_NAMESPACE,
    OPT_ALL_NAMESPACES,
    OPT_ALL,
    OPT_TO_NODE,
    OPT_DRY_RUN_MOVE,
    OPT_SETTLE,
    OPT_DEADLINE,
    OPT_ACKNOWLEDGE_DRAIN,
    OPT_ABORT,
    OPT_DRY_RUN_INSTALL,
    OPT_FORCE_CONFLICTS,
    OPT_CHECKED_ACCOUNT,
    N_OPTIONS,
};

/* Options as a set: bit i is that of id i. */
__extension__ typedef unsigned __int128 option_set;
_Static_assert(N_OPTIONS <= 128, "a set of options is 128 bits");

#define TAKES(id) ((option_set)1 << OPT_##id)
#define TAKES_ANY (~(option_set)0)
#define TAKES_ALWAYS                                                                              \
    (TAKES(HELP) | TAKES(SERVER) | TAKES(TOKEN) | TAKES(TOKEN_FILE) | TAKES(CA) | TAKES(CONFIG) | \
     TAKES(DOOR_KUBECONFIG) | TAKES(DOOR_CONTEXT) | TAKES(ACCOUNT))

struct option {
    char letter;       /* or 0 */
    const char *name;  /* without "--" */
    const char *value; /* "FILE"; NULL: a switch */
    bool many;         /* may be given several times, all count */
    const char *help;
    const char *choices; /* blank-separated values, for completion; or NULL */
};

const struct option *option_of(enum option_id id);

struct options { /* values are borrowed from argv */
    struct {
        const char **values; /* of a switch: "true" or "false" */
        size_t n_values, cap_values;
    } given[N_OPTIONS];
    const char **operands; /* words that are no options, the verb's own name not among them */
    size_t n_operands, cap_operands;
};

/* Reads argv[1..]. `takes` is a mask of TAKES(). -EINVAL with "unknown option ...; did you mean".
 */
int options_read(struct options *o, int argc, char **argv, option_set takes, struct err *e);
int options_read_words(struct options *o, const char *const *words, size_t n, option_set takes,
                       struct err *e);
void options_done(struct options *o);

bool options_on(const struct options *o, enum option_id id);         /* a switch */
const char *options_get(const struct options *o, enum option_id id); /* the last; NULL: not given */

#endif
