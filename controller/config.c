/* The table of configuration keys, and what no table can say: addresses, and what listening in the
 * open asks for. */
#include "controller/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/pki/folder.h"
#include "controller/power/hosts.h"
#include "proto/base/address.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

#define C(member) offsetof(struct config, member)
#define DAY_MS 86400000ll

static const struct field FIELDS[] = {
    { "stateDir", FIELD_TEXT, C(state_dir), "/var/lib/huddle-controller", 0, 0, NULL,
      "folder of the store; on a local disk", NULL },
    { "listen", FIELD_TEXT, C(listen), "127.0.0.1:7443", 0, 0, NULL,
      "address and port for agents and people; anything but loopback needs `tls` and `tokens`",
      NULL },
    { "pki", FIELD_TEXT, C(pki), "", 0, 0, NULL,
      "folder that `huddle-controller init` made; its certificate and its tokens are used where "
      "`tls` and `tokens` say nothing",
      NULL },
    { "agents.listen", FIELD_TEXT, C(agents_listen), "", 0, 0, NULL,
      "address and port of a listener for agents alone, where they come in by the certificates "
      "with "
      "which they joined; needs `pki`",
      NULL },
    { "tls.certificate", FIELD_TEXT, C(tls.certificate), "", 0, 0, NULL,
      "PEM file: the certificate and its chain", NULL },
    { "tls.key", FIELD_TEXT, C(tls.key), "", 0, 0, NULL, "PEM file: the key", NULL },
    { "tokens", FIELD_TEXT, C(tokens), "", 0, 0, NULL,
      "file of hashed tokens, one `NAME ROLE sha256:HEX` a line, an agent's with `node:NODE`; "
      "`huddlectl token create` makes them",
      NULL },
    { "clusterName", FIELD_TEXT, C(cluster_name), "", 0, 0, NULL,
      "name of a new cluster, kept in the store; random when empty", NULL },
    { "reportInterval", FIELD_DURATION, C(report_interval_ms), "5s", 100, 300000, NULL,
      "how often agents report", NULL },
    { "tick", FIELD_DURATION, C(tick_ms), "500ms", 50, 10000, NULL,
      "shortest time between two rounds of reconciliation", NULL },
    { "seed", FIELD_INT, C(seed), "1", 0, INT64_MAX, NULL, "of the planner's random streams",
      NULL },
    { "planSteps", FIELD_INT, C(plan_steps), "2000000", 100, 1000000000, NULL,
      "search steps of one plan", NULL },
    { "nodesMax", FIELD_INT, C(nodes_max), "16384", 1, 1000000, NULL,
      "reports of more nodes than these are refused", NULL },
    { "ports.low", FIELD_INT, C(ports.low), "20000", 1, 65535, NULL,
      "first port for replicas that name none", NULL },
    { "ports.high", FIELD_INT, C(ports.high), "29999", 1, 65535, NULL,
      "last port for replicas that name none", NULL },
    { "server.threads", FIELD_INT, C(server.threads), "2", 1, 64, NULL,
      "threads that read requests", NULL },
    { "server.connections", FIELD_INT, C(server.connections), "4096", 16, 1000000, NULL,
      "most connections at once", NULL },
    { "frontDoor.run", FIELD_BOOL, C(front_door.run), "false", 0, 0, NULL,
      "run HAProxy as the front door of all models", NULL },
    { "frontDoor.listen", FIELD_TEXT, C(front_door.listen), "127.0.0.1:8080", 0, 0, NULL,
      "address and port of the front door", NULL },
    { "frontDoor.program", FIELD_TEXT, C(front_door.program), "haproxy", 0, 0, NULL,
      "the HAProxy program", NULL },
    { "frontDoor.socket", FIELD_TEXT, C(front_door.socket), "", 0, 0, NULL,
      "admin socket of an HAProxy that somebody else runs (see front-door-config)", NULL },
    { "frontDoor.dir", FIELD_TEXT, C(front_door.dir), "", 0, 0, NULL,
      "folder of its files; front-door in stateDir when empty", NULL },
    { "frontDoor.slots", FIELD_INT, C(front_door.slots), "64", 1, 4096, NULL,
      "models that fit without a restart of HAProxy, of each kind of health check", NULL },
    { "frontDoor.queueTimeout", FIELD_DURATION, C(front_door.queue_ms), "60s", 100, DAY_MS, NULL,
      "longest wait of a request for a ready replica", NULL },
    { "frontDoor.answerTimeout", FIELD_DURATION, C(front_door.answer_ms), "10m", 100, DAY_MS, NULL,
      "longest silence of a replica within an answer", NULL },
    { "frontDoor.endpointsFile", FIELD_TEXT, C(front_door.endpoints_file), "", 0, 0, NULL,
      "file in which all endpoints are written as JSON, for other balancers", NULL },
    { "kubernetes.kubeconfig", FIELD_TEXT, C(kubernetes.kubeconfig), "", 0, 0, NULL,
      "observe the cluster of Kubernetes to which this kubeconfig leads, in place of machines: its "
      "nodes and pods are planned and explained, and nothing is acted upon",
      NULL },
    { "kubernetes.context", FIELD_TEXT, C(kubernetes.context), "", 0, 0, NULL,
      "context in the kubeconfig; its current one when empty", NULL },
    { "kubernetes.inCluster", FIELD_BOOL, C(kubernetes.in_cluster), "false", 0, 0, NULL,
      "observe the cluster in which the controller runs as a pod, with the token of the pod",
      NULL },
    { "kubernetes.namespace", FIELD_TEXT, C(kubernetes.namespace), "", 0, 0, NULL,
      "namespace of the Lease huddle-controller, by which one of several controllers leads; when "
      "empty that of the pod, or huddle-system with a kubeconfig",
      NULL },
    { "kubernetes.users", FIELD_BOOL, C(kubernetes.users), "true", 0, 0, NULL,
      "users and ServiceAccounts of Kubernetes may use the API with their own tokens, as far as "
      "RBAC lets them (group huddle.energy); false: only tokens of the file `tokens`",
      NULL },
    { "kubernetes.lease.duration", FIELD_DURATION, C(kubernetes.lease.duration_ms), "60s", 1000,
      3600000, NULL, "so long after the last renewal others may take the Lease; whole seconds",
      NULL },
    { "kubernetes.lease.renewDeadline", FIELD_DURATION, C(kubernetes.lease.deadline_ms), "40s", 100,
      3600000, NULL,
      "so long after the last renewal the leader stops acting; how much faster than this one "
      "another machine's clock may run is duration / renewDeadline",
      NULL },
    { "kubernetes.lease.retryPeriod", FIELD_DURATION, C(kubernetes.lease.retry_ms), "5s", 50,
      3600000, NULL, "between two renewals, or two looks of those that do not lead", NULL },
    { "powerDrivers.programs", FIELD_LIST, C(power_drivers.programs),
      "/usr/libexec/huddle /etc/huddle/drivers", 0, 0, NULL,
      "folders from which the programs of PowerPools with an exec driver may come; [] for none",
      NULL },
    { "powerDrivers.secrets", FIELD_LIST, C(power_drivers.secrets), "/etc/huddle/secrets", 0, 0,
      NULL, "folders from which the secrets of drivers may come; [] for none", NULL },
    { "powerDrivers.hosts", FIELD_LIST, C(power_drivers.hosts), "", 0, 0, NULL,
      "BMCs with which drivers may speak: names, *.below.one, addresses, networks (10.9.0.0/16); "
      "[] for none",
      NULL },
    { "gridFiles", FIELD_LIST, C(grid_files), "/etc/huddle/grid /var/lib/huddle-grid", 0, 0, NULL,
      "folders from which the carbon and price files of PowerPolicies may come; [] for none",
      NULL },
    { "zoneinfo", FIELD_TEXT, C(zoneinfo), "/usr/share/zoneinfo", 0, 0, NULL,
      "folder of the time zones that policies name", NULL },
    LOG_SETTINGS_FIELDS(C(log)),
    FIELDS_END,
};

const struct field *config_fields(void)
{
    return FIELDS;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    fields_done(c, FIELDS);
    free(c->front_door.folder);
    free(c);
}

bool config_has_front_door(const struct config *c)
{
    return c->front_door.run || c->front_door.socket[0];
}

struct front_door_options config_front_door(const struct config *c)
{
    return (struct front_door_options){ .run = c->front_door.run,
                                        .listen = c->front_door.listen,
                                        .program = c->front_door.program,
                                        .socket = c->front_door.socket,
                                        .dir = c->front_door.folder,
                                        .endpoints_file = c->front_door.endpoints_file,
                                        .slots = (uint32_t)c->front_door.slots,
                                        .queue_ms = c->front_door.queue_ms,
                                        .answer_ms = c->front_door.answer_ms };
}

/* --- what no table can say ----------------------------------------------------------------------
 */

static char *below(const char *folder, const char *name)
{
    struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b, "%s/%s", folder, name);
    return strbuf_take(&b);
}

static void fill_in(char **text, const char *folder, const char *name)
{
    if (**text)
        return;
    free(*text);
    *text = below(folder, name);
}

static int check_pki(struct config *c, struct err *e)
{
    if (!c->pki[0])
        return 0;
    if (c->pki[0] != '/')
        return err_set(e, -EINVAL, "pki: expected an absolute path, not \"%.100s\"", c->pki);
    if (!c->tls.certificate[0] && !c->tls.key[0]) {
        fill_in(&c->tls.certificate, c->pki, PKI_SERVER);
        fill_in(&c->tls.key, c->pki, PKI_SERVER_KEY);
    }
    fill_in(&c->tokens, c->pki, PKI_TOKENS);
    return 0;
}

static int check_agents(struct config *c, struct err *e)
{
    if (!c->agents_listen[0])
        return 0;
    if (!c->pki[0])
        return err_set(e, -EINVAL,
                       "agents.listen: needs pki, the folder that `huddle-controller init` makes");
    if (address_split(c->agents_listen, c->agents_host, sizeof(c->agents_host), &c->agents_port) <
            0 ||
        !address_is_ip(c->agents_host))
        return err_set(e, -EINVAL,
                       "agents.listen: expected an IP address and a port like 0.0.0.0:7444, not "
                       "\"%.100s\"",
                       c->agents_listen);
    return 0;
}

bool config_has_own_certificate(const struct config *c)
{
    AUTO(mem) char *own = below(c->pki, PKI_SERVER);

    return c->pki[0] && strcmp(own, c->tls.certificate) == 0;
}

static int check_listen(struct config *c, struct err *e)
{
    bool tls = c->tls.certificate[0] && c->tls.key[0], tokens = c->tokens[0];

    if (address_split(c->listen, c->host, sizeof(c->host), &c->port) < 0 || !address_is_ip(c->host))
        return err_set(e, -EINVAL,
                       "listen: expected an IP address and a port like 127.0.0.1:7443 or "
                       "[::1]:7443, not \"%.100s\"",
                       c->listen);
    if (!c->tls.certificate[0] != !c->tls.key[0])
        return err_set(e, -EINVAL, "tls: certificate and key are needed together");
    if (address_is_loopback(c->host) || (tls && tokens))
        return 0;
    return err_set(
        e, -EINVAL,
        "listen: %.100s can be reached from other machines%s%s; `huddle-controller init` "
        "makes what is needed; or listen on 127.0.0.1",
        c->listen, tls ? "" : "; set tls.certificate and tls.key to PEM files",
        tokens ? ""
               : "; set tokens to a file of hashed tokens, whose lines `huddlectl token "
                 "create` makes");
}

static int check_front_door(struct config *c, struct err *e)
{
    char host[64];
    uint16_t port;

    if (c->front_door.run && c->front_door.socket[0])
        return err_set(e, -EINVAL,
                       "frontDoor: either `run: true`, or the `socket` of an HAProxy that somebody "
                       "else runs, not both");
    if (c->front_door.run && address_split(c->front_door.listen, host, sizeof(host), &port) < 0)
        return err_set(e, -EINVAL,
                       "frontDoor.listen: expected an address and a port like 0.0.0.0:8080, not "
                       "\"%s\"",
                       c->front_door.listen);
    return 0;
}

bool config_has_kubernetes(const struct config *c)
{
    return c->kubernetes.kubeconfig[0] || c->kubernetes.in_cluster;
}

static int check_kubernetes(const struct config *c, struct err *e)
{
    const char *file = c->kubernetes.kubeconfig;
    int r = kube_leader_terms_check(&c->kubernetes.lease, e);

    if (file[0] && c->kubernetes.in_cluster)
        return err_set(e, -EINVAL,
                       "kubernetes: either `kubeconfig`, or `inCluster: true`, not both");
    if (file[0] && file[0] != '/')
        return err_set(e, -EINVAL,
                       "kubernetes.kubeconfig: expected an absolute path, not \"%.100s\"", file);
    if (c->kubernetes.context[0] && !file[0])
        return err_set(e, -EINVAL,
                       "kubernetes.context: is for a kubeconfig; set kubernetes.kubeconfig too");
    if (r < 0)
        return err_prefix(e, r, "kubernetes.lease");
    if (config_has_kubernetes(c) && config_has_front_door(c))
        return err_set(e, -EINVAL,
                       "frontDoor: not together with kubernetes: there Services lead to replicas; "
                       "take one of the two away");
    return 0;
}

static int check_folders(const char *key, const struct string_list *l, struct err *e)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->item[i][0] != '/')
            return err_set(e, -EINVAL, "%s: expected absolute paths, not \"%.100s\"", key,
                           l->item[i]);
    return 0;
}

static int check_hosts(const struct string_list *l, struct err *e)
{
    for (size_t i = 0; i < l->n; i++)
        if (!power_host_pattern(l->item[i]))
            return err_set(
                e, -EINVAL,
                "powerDrivers.hosts: \"%.100s\": expected a name, *.NAME, an address or a "
                "network like 10.9.0.0/16",
                l->item[i]);
    return 0;
}

static int check(void *base, struct err *e)
{
    struct config *c = base;
    int r = check_pki(c, e);

    if (r == 0)
        r = check_agents(c, e);
    if (r == 0)
        r = check_listen(c, e);
    if (r == 0)
        r = check_front_door(c, e);
    if (r == 0)
        r = check_kubernetes(c, e);
    if (r == 0)
        r = check_folders("powerDrivers.programs", &c->power_drivers.programs, e);
    if (r == 0)
        r = check_folders("powerDrivers.secrets", &c->power_drivers.secrets, e);
    if (r == 0)
        r = check_hosts(&c->power_drivers.hosts, e);
    if (r == 0)
        r = check_folders("gridFiles", &c->grid_files, e);
    if (r == 0 && c->ports.low > c->ports.high)
        r = err_set(e, -EINVAL, "ports: low is above high");
    if (r == 0 && c->state_dir[0] != '/')
        r = err_set(e, -EINVAL, "stateDir: expected an absolute path, not \"%s\"", c->state_dir);
    if (r == 0 && strlen(c->cluster_name) > 39)
        r = err_set(e, -EINVAL, "clusterName: longer than 39 bytes");
    c->front_door.folder =
        c->front_door.dir[0] ? xstrdup(c->front_door.dir) : below(c->state_dir, "front-door");
    return r;
}

int config_load(const char *file, struct config **ret_config, struct err *e)
{
    AUTO(config) struct config *c = xcalloc(1, sizeof(*c));
    int r = fields_read_file(c, FIELDS, file, check, e);

    if (r == -ENOENT)
        return err_set(
            e, r,
            "%s is not there: copy share/doc/huddle/examples/controller.yaml, where every "
            "key is explained, or say --config FILE",
            file);
    if (r < 0)
        return r;
    *ret_config = TAKE(c);
    return 0;
}

/* --- while it runs ------------------------------------------------------------------------------
 */

/* With TLS or without, with tokens or without, is how the server was built, and the difference
 * between everybody and few. */
bool config_is_live(const struct field *f, const struct config *running, const struct config *fresh)
{
    static const char *const LIVE[] = {
        "nodesMax",
        "powerDrivers.programs",
        "powerDrivers.secrets",
        "powerDrivers.hosts",
        "gridFiles",
        "log.level",
        "log.format",
    };

    if (strcmp(f->path, "tls.certificate") == 0 || strcmp(f->path, "tls.key") == 0)
        return !running->tls.key[0] == !fresh->tls.key[0];
    if (strcmp(f->path, "tokens") == 0)
        return !running->tokens[0] == !fresh->tokens[0];
    for (size_t i = 0; i < ARRAY_LEN(LIVE); i++)
        if (strcmp(LIVE[i], f->path) == 0)
            return true;
    return false;
}
