/* The agent's configuration file. Strict: an unknown key, a wrong type or a value out of range is
 * refused whole, with file, line and column. `agent_config_fields()` is the reference of all keys,
 * their defaults and their meaning. */
#ifndef HUDDLE_AGENT_CONFIG_H
#define HUDDLE_AGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/field.h"
#include "proto/log_settings.h"

#define AGENT_CONFIG_FILE "/etc/huddle/agent.yaml"

struct agent_config {
    char *node, *address, *host_node; /* node: never "" once loaded */
    char *state_dir, *runtimes_dir;
    bool allow_sleep, allow_commands;
    int64_t sleeps_per_day, foreign_percent;
    char *no_sleep_file;
    struct string_map labels;
    int64_t interval_ms;
    struct {
        char *url, *ca, *token_file, *certificate, *key;
    } controller;
    struct {
        struct string_list command; /* never empty once loaded */
        char *wake_alarm;
    } power_off;
    char *power_model, *nvml_library, *cgroup, *powercap_tree;
    int cpu_limit;              /* quota, share */
    int64_t cpu_capacity_milli; /* most that the node offers; 0: all that it has */
    struct {
        char *cgroups, *cgroup_root; /* cgroups "": no pods are looked at */
    } pods;
    char *metrics_listen;
    struct {
        char *host; /* of metrics_listen; NULL: off */
        uint16_t port;
    } metrics;
    struct log_settings log;
};

const struct field *agent_config_fields(void); /* closed by a path of NULL */

/* -EINVAL with the place and what was expected, or -errno of the file. */
int agent_config_load(const char *file, struct agent_config **ret_config, struct err *e);
void agent_config_free(struct agent_config *c);
DEFINE_AUTO(agent_config, struct agent_config *, agent_config_free);

/* Why this node does not sleep by its configuration; "" when it may. */
const char *agent_config_sleep_not(const struct agent_config *c);

/* Can a change of this key take effect while the agent runs? */
bool agent_config_is_live(const struct field *f);

#endif
