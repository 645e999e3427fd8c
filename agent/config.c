/* The table of configuration keys, and what no table can say. */
#include "agent/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/address.h"
#include "proto/base/array.h"

#define C(member) offsetof(struct agent_config, member)
#define NAME_MAX_BYTES 253

static const struct field FIELDS[] = {
    { "node", FIELD_TEXT, C(node), "", 0, 0, NULL,
      "name of this node; what HUDDLE_NODE in its environment says, or the host name, when empty",
      NULL },
    { "address", FIELD_TEXT, C(address), "", 0, 0, NULL,
      "where replicas of this node are reached; the address that faces the controller when empty",
      NULL },
    { "hostNode", FIELD_TEXT, C(host_node), "", 0, 0, NULL,
      "the node that this virtual machine runs on, where that is a node of huddle too", NULL },
    { "stateDir", FIELD_TEXT, C(state_dir), "/var/lib/huddle-agent", 0, 0, NULL,
      "folder of what the agent must remember, and of the replicas' logs", NULL },
    { "runtimesDir", FIELD_TEXT, C(runtimes_dir), "/etc/huddle/runtimes.d", 0, 0, NULL,
      "folder of the runtimes: what may be run on this node", NULL },
    { "allowSleep", FIELD_BOOL, C(allow_sleep), "false", 0, 0, NULL,
      "may this node be put to sleep", NULL },
    { "sleepsPerDay", FIELD_INT, C(sleeps_per_day), "24", 0, 30, NULL,
      "most sleeps within 24 hours", NULL },
    { "foreignPercent", FIELD_INT, C(foreign_percent), "2", 0, 100, NULL,
      "the node refuses to sleep while what is neither a replica, nor a pod, nor the agent uses "
      "more "
      "of its CPU time, in %, over a minute; on Kubernetes that is kubelet and container runtime",
      NULL },
    { "noSleepFile", FIELD_TEXT, C(no_sleep_file), "/etc/huddle/no-sleep", 0, 0, NULL,
      "while this file exists the node refuses to sleep", NULL },
    { "allowCommands", FIELD_BOOL, C(allow_commands), "false", 0, 0, NULL,
      "may models run commands that are in no runtime", NULL },
    { "labels", FIELD_MAP, C(labels), NULL, 0, 0, NULL, "for selectors of pools and models", NULL },
    { "interval", FIELD_DURATION, C(interval_ms), "5s", 100, 300000, NULL,
      "between two reports until the controller says otherwise", NULL },
    { "controller.url", FIELD_TEXT, C(controller.url), "", 0, 0, NULL,
      "like https://huddle.example:7443; required", NULL },
    { "controller.ca", FIELD_TEXT, C(controller.ca), "", 0, 0, NULL,
      "PEM file of the authorities that vouch for it; those of the system when empty", NULL },
    { "controller.tokenFile", FIELD_TEXT, C(controller.token_file), "", 0, 0, NULL,
      "file that holds this agent's token; read again when the token is refused", NULL },
    { "controller.certificate", FIELD_TEXT, C(controller.certificate), "", 0, 0, NULL,
      "PEM file of this agent's own certificate", NULL },
    { "controller.key", FIELD_TEXT, C(controller.key), "", 0, 0, NULL, "PEM file of its key",
      NULL },
    { "powerOff.command", FIELD_LIST, C(power_off.command), NULL, 0, 0, NULL,
      "program and words that switch this node off; [/bin/systemctl, poweroff] when empty", NULL },
    { "powerOff.wakeAlarm", FIELD_TEXT, C(power_off.wake_alarm), "/sys/class/rtc/rtc0/wakealarm", 0,
      0, NULL,
      "alarm of the real-time clock that is set before, so that the node returns though nobody "
      "wakes it; none when empty",
      NULL },
    { "powerModel", FIELD_TEXT, C(power_model), "auto", 0, 0, NULL,
      "curve that estimates energy: auto (only where no counter can be read), none, or its name",
      NULL },
    { "powercapTree", FIELD_TEXT, C(powercap_tree), "", 0, 0, NULL,
      "in a container: where a volume shows the node's /sys/devices/virtual/powercap; "
      "/sys/class is an empty volume then, and is linked to it",
      NULL },
    { "pods.cgroups", FIELD_TEXT, C(pods.cgroups), "", 0, 0, NULL,
      "on a Kubernetes node: where its cgroup file system is seen, like /sys/fs/cgroup; CPU, "
      "memory "
      "and joules of each pod are reported then",
      NULL },
    { "pods.cgroupRoot", FIELD_TEXT, C(pods.cgroup_root), "/", 0, 0, NULL,
      "what kubelet has as its cgroupRoot", NULL },
    { "nvmlLibrary", FIELD_TEXT, C(nvml_library), "libnvidia-ml.so.1", 0, 0, NULL,
      "NVIDIA's management library; no GPU is looked for when empty", NULL },
    { "cgroup", FIELD_TEXT, C(cgroup), "huddle", 0, 0, NULL,
      "parent of the replicas' cgroups, below the agent's own unless it begins with /; none when "
      "empty",
      NULL },
    { "cpuLimit", FIELD_WORD, C(cpu_limit), "quota", 0, 0, "quota share",
      "what the CPU of a model is to its replicas: quota (never more), or share (at least that, "
      "and more while others leave it)",
      NULL },
    { "cpuCapacity", FIELD_CPU, C(cpu_capacity_milli), "0", 0, 100000000, NULL,
      "most CPU that the node offers to replicas, where other work runs beside them; all that it "
      "has, or that its control group allows, when 0",
      NULL },
    { "metricsListen", FIELD_TEXT, C(metrics_listen), "", 0, 0, NULL,
      "address and port of a metrics page for Prometheus; off when empty", NULL },
    LOG_SETTINGS_FIELDS(C(log)),
    FIELDS_END,
};

const struct field *agent_config_fields(void)
{
    return FIELDS;
}

void agent_config_free(struct agent_config *c)
{
    if (!c)
        return;
    fields_done(c, FIELDS);
    free(c->metrics.host);
    free(c);
}

/* --- what no table can say -------------------------------------------------------------------- */

static int set_node(struct agent_config *c, struct err *e)
{
    const char *given = getenv("HUDDLE_NODE"); /* in a container the host name is the pod's */
    char host[NAME_MAX_BYTES + 1];

    if (c->node[0] == '\0' && given && given[0]) {
        free(c->node);
        c->node = xstrdup(given);
    } else if (c->node[0] == '\0') {
        if (gethostname(host, sizeof(host)) < 0)
            return err_errno(e, -errno, "node: the host name");
        host[sizeof(host) - 1] = '\0';
        free(c->node);
        c->node = xstrdup(host);
    }
    /* As Kubernetes names objects: the name is a key of files, URLs and tables. */
    if (strlen(c->node) > NAME_MAX_BYTES ||
        strspn(c->node, "abcdefghijklmnopqrstuvwxyz0123456789-.") != strlen(c->node) ||
        strchr("-.", c->node[0]) || strchr("-.", c->node[strlen(c->node) - 1]))
        return err_set(e, -EINVAL,
                       "node: expected lower-case letters, digits, \"-\" and \".\", not \"%.100s\"",
                       c->node);
    return 0;
}

static int check_path(const char *key, const char *path, bool may_be_empty, struct err *e)
{
    if (path[0] == '/' || (path[0] == '\0' && may_be_empty))
        return 0;
    return err_set(e, -EINVAL, "%s: expected an absolute path, not \"%.100s\"", key, path);
}

static int check_paths(const struct agent_config *c, struct err *e)
{
    int r = check_path("stateDir", c->state_dir, false, e);

    if (r == 0)
        r = check_path("runtimesDir", c->runtimes_dir, false, e);
    if (r == 0)
        r = check_path("noSleepFile", c->no_sleep_file, false, e);
    if (r == 0)
        r = check_path("controller.ca", c->controller.ca, true, e);
    if (r == 0)
        r = check_path("controller.tokenFile", c->controller.token_file, true, e);
    if (r == 0)
        r = check_path("controller.certificate", c->controller.certificate, true, e);
    if (r == 0)
        r = check_path("controller.key", c->controller.key, true, e);
    if (r == 0)
        r = check_path("powerOff.wakeAlarm", c->power_off.wake_alarm, true, e);
    if (r == 0)
        r = check_path("powercapTree", c->powercap_tree, true, e);
    if (r == 0)
        r = check_path("pods.cgroups", c->pods.cgroups, true, e);
    if (r == 0)
        r = check_path("pods.cgroupRoot", c->pods.cgroup_root, false, e);
    if (r == 0 && c->power_off.command.n > 0)
        r = check_path("powerOff.command", c->power_off.command.item[0], false, e);
    return r;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static int check_controller(struct agent_config *c, struct err *e)
{
    size_t n = strlen(c->controller.url);

    if (!begins(c->controller.url, "https://") && !begins(c->controller.url, "http://"))
        return err_set(e, -EINVAL,
                       "controller.url: expected a URL like https://huddle.example:7443, not "
                       "\"%.100s\"",
                       c->controller.url);
    while (n > 0 && c->controller.url[n - 1] == '/')
        c->controller.url[--n] = '\0';
    if (!c->controller.certificate[0] != !c->controller.key[0])
        return err_set(e, -EINVAL, "controller: certificate and key are needed together");
    return 0;
}

static void set_power_off(struct agent_config *c)
{
    struct string_list *l = &c->power_off.command;

    if (l->n > 0)
        return;
    l->item = xcalloc(2, sizeof(*l->item));
    l->item[l->n++] = xstrdup("/bin/systemctl");
    l->item[l->n++] = xstrdup("poweroff");
}

static int set_metrics(struct agent_config *c, struct err *e)
{
    char host[64];

    if (address_split(c->metrics_listen, host, sizeof(host), &c->metrics.port) < 0 ||
        !address_is_ip(host))
        return err_set(e, -EINVAL,
                       "metricsListen: expected an IP address and a port like 127.0.0.1:9101, not "
                       "\"%.100s\"",
                       c->metrics_listen);
    c->metrics.host = xstrdup(host);
    return 0;
}

static int check(void *base, struct err *e)
{
    struct agent_config *c = base;
    int r = set_node(c, e);

    if (r == 0)
        r = check_paths(c, e);
    if (r == 0)
        r = check_controller(c, e);
    if (r == 0 && c->metrics_listen[0])
        r = set_metrics(c, e);
    set_power_off(c);
    return r;
}

int agent_config_load(const char *file, struct agent_config **ret_config, struct err *e)
{
    AUTO(agent_config) struct agent_config *c = xcalloc(1, sizeof(*c));
    int r = fields_read_file(c, FIELDS, file, check, e);

    if (r == -ENOENT)
        return err_set(
            e, r,
            "%s is not there: copy share/doc/huddle/examples/agent.yaml, where every key "
            "is explained, or say --config FILE (--once needs none)",
            file);
    if (r < 0)
        return r;
    *ret_config = TAKE(c);
    return 0;
}

const char *agent_config_sleep_not(const struct agent_config *c)
{
    return c->allow_sleep ? "" : "its configuration does not allow it (allowSleep)";
}

/* What the agent was built around. */
bool agent_config_is_live(const struct field *f)
{
    static const char *const FIXED[] = {
        "node",         "stateDir",     "cgroup",          "cpuLimit",    "powerModel",
        "powercapTree", "pods.cgroups", "pods.cgroupRoot", "nvmlLibrary", "metricsListen",
    };

    for (size_t i = 0; i < ARRAY_LEN(FIXED); i++)
        if (strcmp(FIXED[i], f->path) == 0)
            return false;
    return true;
}
