/* Configuration of the controller daemon: /etc/huddle/controller.yaml, one mapping, strict (see
 * proto/field.h). Every key stands in the table of config.c with its default and one line of help.
 * Loaded whole or not at all, also when it is read again while the controller runs. */
#ifndef HUDDLE_CONTROLLER_CONFIG_H
#define HUDDLE_CONTROLLER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "controller/substrate/front_door.h"
#include "controller/substrate/kube_leader.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/field.h"
#include "proto/log_settings.h"

#define CONFIG_DEFAULT_FILE "/etc/huddle/controller.yaml"

struct config {
    char *state_dir;
    char *listen; /* host:port, [v6]:port */
    char *pki;    /* folder of the doors, see pki/folder.h; "": none. It fills in tls and tokens */
    char *agents_listen; /* host:port of the agents' own listener; "": none */
    struct {
        char *certificate, *key; /* PEM files; both or none ("") */
    } tls;
    char *tokens;       /* file, see api/auth.h; "": no tokens */
    char *cluster_name; /* "": a random id, kept in the store */
    int64_t report_interval_ms, tick_ms;
    int64_t seed;
    int64_t plan_steps; /* search steps of one plan */
    int64_t nodes_max;  /* reports of further nodes are refused */
    struct {
        int64_t low, high;
    } ports;
    struct {
        int64_t threads, connections;
    } server;
    struct {
        bool run;             /* start and watch over an HAProxy of our own */
        char *listen;         /* where it serves */
        char *program;        /* haproxy */
        char *socket;         /* not run: the admin socket of an HAProxy that is already there */
        char *dir;            /* "": front-door below state_dir */
        char *folder;         /* the one or the other; not a key */
        char *endpoints_file; /* "": none; all endpoints as JSON, for other balancers */
        int64_t slots, queue_ms, answer_ms; /* see substrate/front_door.h */
    } front_door;
    struct {
        struct string_list programs, secrets; /* folders: see power/folders.h */
        struct string_list hosts;             /* see power/hosts.h */
    } power_drivers;
    struct { /* a cluster of Kubernetes that is observed; see config_has_kubernetes() */
        char *kubeconfig; /* file; "": not from one */
        char *context;    /* in it; "": the current one */
        bool in_cluster;  /* as a pod of it */
        char *namespace;  /* of the Lease; "": the pod's own, or huddle-system */
        bool users;       /* whose tokens are none of huddle's, Kubernetes is asked about */
        struct kube_leader_terms lease;
    } kubernetes;
    struct string_list grid_files; /* folders: see grid_files.h */
    char *zoneinfo;                /* folder of TZif files */
    struct log_settings log;

    char host[64]; /* of `listen`, without brackets */
    uint16_t port;
    char agents_host[64]; /* of `agents_listen` */
    uint16_t agents_port;
};

/* -EINVAL with "file:line:column: key: what is wrong"; -errno when the file cannot be read. */
int config_load(const char *file, struct config **ret_config, struct err *e);
void config_free(struct config *c);
DEFINE_AUTO(config, struct config *, config_free);

/* Is there an HAProxy to drive, ours or another's? */
bool config_has_front_door(const struct config *c);

/* Is a cluster of Kubernetes what is observed, in place of machines of our own? */
bool config_has_kubernetes(const struct config *c);

/* Is the certificate the one in `pki`, which the controller renews? */
bool config_has_own_certificate(const struct config *c);

/* What the keys below frontDoor say; borrowed from the configuration. */
struct front_door_options config_front_door(const struct config *c);

/* Can this change take effect while the controller runs? */
bool config_is_live(const struct field *f, const struct config *running,
                    const struct config *fresh);

/* The table, for tests and documentation. */
const struct field *config_fields(void);

#endif
