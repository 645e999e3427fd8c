/* Command line options: see options.h. */
#include "controller/cli/options.h"
#include "controller/pki/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/array.h"
#include "proto/base/guess.h"

static const struct option OPTIONS[N_OPTIONS] = {
    [OPT_HELP] = { 'h', "help", NULL, false, "show this help", NULL },
    [OPT_SERVER] = { 's', "server", "URL", false,
                     "the controller; default HUDDLE_SERVER, the configuration, or "
                     "http://127.0.0.1:7443",
                     NULL },
    [OPT_TOKEN] = { 0, "token", "TOKEN", false,
                    "bearer token (others may see it in the process list: prefer --token-file or "
                    "HUDDLE_TOKEN)",
                    NULL },
    [OPT_TOKEN_FILE] = { 0, "token-file", "FILE", false, "file that holds the bearer token", NULL },
    [OPT_CA] = { 0, "ca", "FILE", false,
                 "certificate authority of the server (PEM); default HUDDLE_CA or the system's",
                 NULL },
    [OPT_CONFIG] = { 0, "config", "FILE", false,
                     "configuration; default HUDDLE_CONFIG or ~/.config/huddle/config.yaml", NULL },
    [OPT_DOOR_KUBECONFIG] = { 0, "kubeconfig", "FILE", false,
                              "reach the controller through the API server of Kubernetes, as its "
                              "user; what kubectl huddle does: default KUBECONFIG, ~/.kube/config",
                              NULL },
    [OPT_DOOR_CONTEXT] = { 0, "context", "NAME", false,
                           "the same, by this context of the kubeconfig", NULL },
    [OPT_ACCOUNT] = { 0, "account", "NAME", false,
                      "the same, in the name of this ServiceAccount of huddle-system: a token of "
                      "ten minutes that is good for huddle alone",
                      NULL },
    [OPT_OUTPUT] = { 'o', "output", "FORMAT", false, "table, wide, json, yaml or name",
                     "table wide json yaml name" },
    [OPT_OUTPUT_ONE] = { 'o', "output", "FORMAT", false, "table, json or yaml", "table json yaml" },
    [OPT_WATCH] = { 'w', "watch", NULL, false, "go on and show changes as they happen", NULL },
    [OPT_SELECTOR] = { 'l', "selector", "LABELS", false,
                       "only objects with these labels: a=b, a==b, a!=b, a, !a; several by comma",
                       NULL },
    [OPT_NO_HEADERS] = { 0, "no-headers", NULL, false, "a table without its titles", NULL },
    [OPT_FILENAME] = { 'f', "filename", "FILE", true,
                       "file or folder of objects (YAML or JSON), or - for standard input; may be "
                       "given several times",
                       NULL },
    [OPT_RECURSIVE] = { 'R', "recursive", NULL, false, "folders within folders too", NULL },
    [OPT_DRY_RUN] = { 0, "dry-run", "WHERE", false,
                      "client: check only, without a server; server: let the server check, store "
                      "nothing",
                      "client server none" },
    [OPT_DRY_RUN_SERVER] = { 0, "dry-run", "WHERE", false,
                             "server: let the server check, delete nothing", "server none" },
    [OPT_IGNORE_NOT_FOUND] = { 0, "ignore-not-found", NULL, false,
                               "what is not there counts as deleted", NULL },
    [OPT_REASON] = { 0, "reason", "TEXT", false,
                     "why; it stands in the journal and in what others see", NULL },
    [OPT_WAIT] = { 0, "wait", NULL, false, "stay until it is so, and show how far it is", NULL },
    [OPT_WAIT_DEFAULT] = { 0, "wait", NULL, false,
                           "stay until it is over, and show how far it is: the default; "
                           "--wait=false asks and returns",
                           NULL },
    [OPT_CYCLES] = { 0, "cycles", "N", false, "how often, 1 to 20; default 1", NULL },
    [OPT_TIMEOUT] = { 0, "timeout", "DURATION", false,
                      "longest --wait, like 10m; default 30m, of a test 30m a cycle", NULL },
    [OPT_FOR] = { 0, "for", "KIND/NAME", false, "only what speaks of this object", NULL },
    [OPT_TYPE] = { 0, "type", "TYPE", false, "only Normal, or only Warning", "Normal Warning" },
    [OPT_SINCE] = { 0, "since", "TIME", false,
                    "beginning: so long ago (24h), or a time like 2026-11-23T07:00:00Z", NULL },
    [OPT_FROM] = { 0, "from", "TIME", false,
                   "beginning: 2026-11-23T07:00:00Z, 2026-11-23, or so long ago (24h)", NULL },
    [OPT_TO] = { 0, "to", "TIME", false, "end; default now", NULL },
    [OPT_FORMAT] = { 'o', "format", "FORMAT", false,
                     "table, json, yaml, csv or html; default by the ending of --output, or table",
                     "table json yaml csv html" },
    [OPT_OUTPUT_FILE] = { 0, "output", "FILE", false, "write to this file", NULL },
    [OPT_ROLE] = { 0, "role", "ROLE", false,
                   "metrics, viewer, operator, editor, admin or agent: each may do what stands "
                   "before it, too; an agent may only report",
                   "metrics viewer operator editor admin agent" },
    [OPT_NODE] = { 0, "node", "NODE", false,
                   "of an agent's token: the only node that may report with it, or '*' for any; "
                   "the token's own name by default",
                   NULL },
    [OPT_EXPIRES] = { 0, "expires", "TIME", false,
                      "from when on the token is refused: 2027-03-01T00:00:00Z, 2027-03-01, or so "
                      "long from now (90d); never by default",
                      NULL },
    [OPT_APPEND] = { 0, "append", "FILE", false,
                     "add the line to the controller's token file, and print only the token",
                     NULL },
    [OPT_TOKENS] = { 0, "tokens", "FILE", false,
                     "the controller's token file [" PKI_FOLDER_DEFAULT "/" PKI_TOKENS "]", NULL },
    [OPT_PKI] = { 0, "pki", "DIR", false,
                  "folder that `huddle-controller init` made [" PKI_FOLDER_DEFAULT "]", NULL },
    [OPT_USES] = { 0, "uses", "N", false, "how many nodes may join with it [1]", NULL },
    [OPT_NETWORK] = { 0, "from", "NETWORK", false,
                      "only nodes with an address in it may: 192.0.2.0/24", NULL },
    [OPT_REPLACE] = { 0, "replace", NULL, false,
                      "a node whose name is taken may join anew: the certificate before is revoked",
                      NULL },
    [OPT_JOIN_EXPIRES] = { 0, "expires", "DURATION", false, "how long it is good [1h]", NULL },
    [OPT_CLIENT] = { 0, "client", NULL, false, "of this program only: ask no server", NULL },
    [OPT_HISTORY] = { 0, "history", "[MODEL=]FILE", true,
                      "recorded demand: a table, a series, a recording of huddle-agent, a log of "
                      "requests, a saved answer of Prometheus, clients of ServeGen (a folder); may "
                      "be given several times, what is of one model is added",
                      NULL },
    [OPT_NODES] = { 0, "nodes", "N", false, "nodes in the pool, from 2", NULL },
    [OPT_SIZE] = { 0, "size", "SIZE", false, "what a node holds: cpu=16,memory=64Gi,gpus=8", NULL },
    [OPT_WATTS] = { 0, "watts", "WATTS", false,
                    "what a node draws: idle and full (60,250), or at 0, 10, ... 100 % load, or a "
                    "recording of huddle-agent to learn it of; default the pool's curve",
                    NULL },
    [OPT_PRICE] = { 0, "price", "PRICE|FILE", false,
                    "of a kWh: a number, or a file of time,value as PowerPolicy reads; default "
                    "what the policy declares",
                    NULL },
    [OPT_CARBON] = { 0, "carbon", "GRAMS|FILE", false, "of CO2 for a kWh, in the same way", NULL },
    [OPT_BOOT] = { 0, "boot", "TIME..TIME", false,
                   "how long boots take: evenly between two times, or one time; default the pool's "
                   "boot.time, a tenth more or less",
                   NULL },
    [OPT_SHUTDOWN] = { 0, "shutdown", "TIME..TIME", false,
                       "how long nodes take to go off once they are empty, in the same way; "
                       "default 60s",
                       NULL },
    [OPT_LOAD] = { 0, "load", "TIME..TIME", false,
                   "how long replicas take to start; 20s..40s..5m: below 40s in one half of all "
                   "cases; default each model's startupTime (60s where it declares none), a tenth "
                   "more or less",
                   NULL },
    [OPT_BOOT_FAILURES] = { 0, "boot-failures", "SHARE", false, "of boots that fail; default 0.5%",
                            NULL },
    [OPT_METER_NOISE] = { 0, "meter-noise", "SHARE", false,
                          "by which the nodes' meters err (standard deviation); default 1%", NULL },
    [OPT_SEED] = { 0, "seed", "N", false, "of what is left to chance; default 1", NULL },
    [OPT_PROMETHEUS] = { 0, "prometheus", "URL", false,
                         "server that recorded demand; --token-file and --ca are for it then",
                         NULL },
    [OPT_USER] = { 0, "user", "NAME", false,
                   "of a Prometheus that asks for a name and a password (basic authentication): "
                   "what --token-file holds is the password then",
                   NULL },
    [OPT_PRESET] = { 0, "preset", "NAME", false,
                     "what serves: vllm, kserve, triton, haproxy, nginx-ingress or generic "
                     "(http_requests_total by model)",
                     "vllm kserve triton haproxy nginx-ingress generic" },
    [OPT_QUERY] = { 0, "query", "PROMQL", false,
                    "a query of one's own in place of --preset: requests/s, a series a model; %s "
                    "in it is the window of rate(), amid which its value is laid",
                    NULL },
    [OPT_LABEL] = { 0, "label", "LABEL", false,
                    "that names the model in series of Prometheus; default the preset's, or the "
                    "only one",
                    NULL },
    [OPT_START] = { 0, "start", "TIME", false,
                    "of what Prometheus is asked for: 2026-11-23T07:00:00Z, 2026-11-23, or so long "
                    "ago (30d); default a week before the end",
                    NULL },
    [OPT_END] = { 0, "end", "TIME", false, "of the same; default now", NULL },
    [OPT_STEP] = { 0, "step", "DURATION", false,
                   "between values that Prometheus is asked for; default 1m", NULL },
    [OPT_RESOLUTION] = { 0, "resolution", "DURATION", false,
                         "step of virtual time, 1s to 1h; default 15s, or 5s, 3s or 1s where the "
                         "history's values are that close. Boots, shutdowns and loads take whole "
                         "steps: 1s is for nodes that wake within seconds, 5m for a year of a "
                         "large pool",
                         NULL },
    [OPT_SET] = { 0, "set", "FIELD=VALUE", true,
                  "what if: policy.quantile=0.99, pool.spare=2, model/chat.replicas.min=1; may be "
                  "given several times",
                  NULL },
    [OPT_COMPARE] = { 0, "compare", "FILE...", true,
                      "what if: once with the objects of each of these files in place of those of "
                      "-f (a PowerPolicy takes the place of the pool's), side by side",
                      NULL },
    [OPT_FORMAT_PAGE] = { 'o', "format", "FORMAT", false,
                          "table, json, yaml or html (one page with plots); default by the ending "
                          "of --output, or table",
                          "table json yaml html" },
    [OPT_KUBECONFIG] = { 0, "kubeconfig", "FILE", false,
                         "credentials of the cluster; default KUBECONFIG, ~/.kube/config, or what "
                         "the kubelet gives a pod",
                         NULL },
    [OPT_CONTEXT] = { 0, "context", "NAME", false, "context of the kubeconfig; default its current",
                      NULL },
    [OPT_NAMESPACE] = { 'n', "namespace", "NAME", false,
                        "of what is meant; default all that there is, of move the context's",
                        NULL },
    [OPT_ALL_NAMESPACES] = { 'A', "all-namespaces", NULL, false, "of all namespaces: the default",
                             NULL },
    [OPT_ALL] = { 0, "all", NULL, false,
                  "give a whole cluster of Kubernetes back; --namespace (huddle's own: "
                  "huddle-system) and --timeout are for this alone",
                  NULL },
    [OPT_TO_NODE] = { 0, "to", "NODE", false, "node to move it to", NULL },
    [OPT_DRY_RUN_MOVE] = { 0, "dry-run", NULL, false,
                           "tell what would be done, or all that stands against it; do nothing",
                           NULL },
    [OPT_SETTLE] = { 0, "settle", "DURATION", false,
                     "that proxies have to hear of the new pod before the old one goes; default 5s",
                     NULL },
    [OPT_DEADLINE] = { 0, "deadline", "DURATION", false,
                       "after which it is taken back when the new pod is not ready to take over; "
                       "default 10m",
                       NULL },
    [OPT_ACKNOWLEDGE_DRAIN] = { 0, "acknowledge-drain", NULL, false,
                                "move it although it may lose requests when it ends", NULL },
    [OPT_ABORT] = { 0, "abort", NULL, false, "take a move of the pod back", NULL },
    [OPT_DRY_RUN_INSTALL] = { 0, "dry-run", "WHERE", false,
                              "client: only print them, without a cluster; server: let the cluster "
                              "check, store nothing",
                              "client server none" },
    [OPT_CHECKED_ACCOUNT] = { 0, "account", "NAME", false,
                              "of this ServiceAccount of huddle-system, in place of this user: "
                              "huddle-controller is the controller's; needs the right to create "
                              "subjectaccessreviews",
                              NULL },
    [OPT_FORCE_CONFLICTS] = { 0, "force-conflicts", NULL, false,
                              "take over what somebody else applied", NULL },
};

const struct option *option_of(enum option_id id)
{
    return &OPTIONS[id];
}

static void add_value(struct options *o, size_t id, const char *value)
{
    *(const char **)ARRAY_ADD(&o->given[id], values) = value;
}

static int unknown(const char *word, size_t n, option_set takes, struct err *e)
{
    char name[40];
    struct guess g;
    const char *near;
    size_t near_n;

    if (n >= sizeof(name))
        return err_set(e, -EINVAL, "unknown option --%.60s", word);
    memcpy(name, word, n);
    name[n] = '\0';
    g = guess_begin(name);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strcmp(OPTIONS[i].name, name) == 0)
            return err_set(e, -EINVAL, "option --%s has no meaning here", name);
        if (takes >> i & 1)
            guess_consider(&g, OPTIONS[i].name, strlen(OPTIONS[i].name));
    }
    near = guess_word(&g, &near_n);
    if (near)
        return err_set(e, -EINVAL, "unknown option --%s; did you mean --%.*s?", name, (int)near_n,
                       near);
    return err_set(e, -EINVAL, "unknown option --%s", name);
}

static int read_switch(struct options *o, size_t id, const char *value, struct err *e)
{
    if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return err_set(e, -EINVAL, "--%s takes true or false, not \"%.40s\"", OPTIONS[id].name,
                       value);
    add_value(o, id, value ? value : "true");
    return 0;
}

/* `--name`, `--name=value`, or `--name value`: *next is the word behind, used up when taken. */
static int read_long(struct options *o, const char *word, const char *next, bool *used,
                     option_set takes, struct err *e)
{
    size_t n = strcspn(word, "=");
    const char *value = word[n] ? word + n + 1 : NULL;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strlen(OPTIONS[i].name) != n || strncmp(OPTIONS[i].name, word, n) != 0 ||
            !(takes >> i & 1))
            continue;
        if (!OPTIONS[i].value)
            return read_switch(o, i, value, e);
        *used = !value;
        value = value ? value : next;
        if (!value)
            return err_set(e, -EINVAL, "--%s needs a %s", OPTIONS[i].name, OPTIONS[i].value);
        add_value(o, i, value);
        return 0;
    }
    return unknown(word, n, takes, e);
}

/* `-wo wide`, `-owide`, `-o=wide`, `-w` */
static int read_short(struct options *o, const char *word, const char *next, bool *used,
                      option_set takes, struct err *e)
{
    for (; *word; word++) {
        size_t i = 0;

        while (i < N_OPTIONS && (OPTIONS[i].letter != *word || !(takes >> i & 1)))
            i++;
        if (i == N_OPTIONS)
            return err_set(e, -EINVAL, "unknown option -%c", *word);
        if (!OPTIONS[i].value) {
            add_value(o, i, "true");
            continue;
        }
        word++;
        *used = !*word;
        if (!*word && !next)
            return err_set(e, -EINVAL, "-%c needs a %s", OPTIONS[i].letter, OPTIONS[i].value);
        add_value(o, i, *word ? word + (*word == '=') : next);
        return 0;
    }
    return 0;
}

int options_read_words(struct options *o, const char *const *words, size_t n, option_set takes,
                       struct err *e)
{
    bool over = false;

    for (size_t i = 0; i < n; i++) {
        const char *word = words[i], *next = i + 1 < n ? words[i + 1] : NULL;
        bool used = false;
        int r = 0;

        if (over || word[0] != '-' || !word[1])
            *(const char **)ARRAY_ADD(o, operands) = word;
        else if (strcmp(word, "--") == 0)
            over = true;
        else if (word[1] == '-')
            r = read_long(o, word + 2, next, &used, takes, e);
        else
            r = read_short(o, word + 1, next, &used, takes, e);
        if (r < 0)
            return r;
        i += used;
    }
    return 0;
}

int options_read(struct options *o, int argc, char **argv, option_set takes, struct err *e)
{
    return argc < 2
               ? 0
               : options_read_words(o, (const char *const *)argv + 1, (size_t)argc - 1, takes, e);
}

void options_done(struct options *o)
{
    for (size_t i = 0; i < N_OPTIONS; i++)
        free(o->given[i].values);
    free(o->operands);
    *o = (struct options){ 0 };
}

const char *options_get(const struct options *o, enum option_id id)
{
    size_t n = o->given[id].n_values;

    return n ? o->given[id].values[n - 1] : NULL;
}

bool options_on(const struct options *o, enum option_id id)
{
    const char *value = options_get(o, id);

    return value && strcmp(value, "true") == 0;
}
