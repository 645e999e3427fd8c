/* The controller's configuration: defaults, positions of mistakes, and when it may be listened to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/config.h"
#include "controller/kube_client/kube_lease.h"

/* Loads a configuration of this text. */
static int load(const char *text, struct config **ret, struct err *e)
{
    char file[] = "/tmp/huddle-config-XXXXXX";
    int fd = mkstemp(file), r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    r = config_load(file, ret, e);
    assert_int_equal(unlink(file), 0);
    return r;
}

static struct config *loaded(const char *text)
{
    struct config *c = NULL;
    struct err e = ERR_INIT;

    if (load(text, &c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static void refused(const char *text, const char *part)
{
    struct config *c = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(load(text, &c, &e), -EINVAL);
    assert_null(c);
    if (!strstr(e.text, part))
        fail_msg("expected \"%s\" in \"%s\"", part, e.text);
}

static void an_empty_file_is_the_defaults(void **state)
{
    AUTO(config) struct config *c = loaded("");

    (void)state;
    assert_string_equal(c->state_dir, "/var/lib/huddle-controller");
    assert_string_equal(c->host, "127.0.0.1");
    assert_int_equal(c->port, 7443);
    assert_int_equal(c->report_interval_ms, 5000);
    assert_int_equal(c->log.level, LOG_LEVEL_INFO);
    assert_int_equal(c->log.format, LOG_FORMAT_TEXT);
    assert_false(config_has_front_door(c));
    assert_int_equal(c->power_drivers.programs.n, 2);
    assert_string_equal(c->power_drivers.programs.item[1], "/etc/huddle/drivers");
    assert_int_equal(c->power_drivers.secrets.n, 1);
}

static void assert_same(const struct field *f, const void *a, const void *b)
{
    if (!field_same(f, a, b))
        fail_msg("%s", f->path);
}

static void the_example_shows_every_key_with_its_default(void **state)
{
    AUTO(config) struct config *defaults = loaded("");
    AUTO(config) struct config *shown = NULL;
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n;

    (void)state;
    if (config_load("deploy/examples/controller.yaml", &shown, &e) < 0 ||
        yaml_read_file("deploy/examples/controller.yaml", &text, &n, &e) < 0)
        fail_msg("%s", e.text);
    for (const struct field *f = config_fields(); f->path; f++) {
        const char *dot = strrchr(f->path, '.');
        char key[64];

        (void)snprintf(key, sizeof(key), "%s:", dot ? dot + 1 : f->path);
        if (!strstr(text, key))
            fail_msg("no %s in the example", f->path);
        assert_same(f, defaults, shown);
    }
}

static void every_key_is_read(void **state)
{
    AUTO(config)
    struct config *c = loaded("stateDir: /srv/h\n"
                              "listen: '[::1]:9'\n"
                              "clusterName: attic\n"
                              "reportInterval: 400ms\n"
                              "tick: 100ms\n"
                              "seed: 7\n"
                              "planSteps: 500\n"
                              "nodesMax: 12\n"
                              "ports: {low: 100, high: 200}\n"
                              "server: {threads: 3, connections: 99}\n"
                              "frontDoor:\n"
                              "  run: true\n"
                              "  listen: '0.0.0.0:80'\n"
                              "  program: /opt/haproxy\n"
                              "  endpointsFile: /run/e.json\n"
                              "  slots: 5\n"
                              "  queueTimeout: 3s\n"
                              "  answerTimeout: 1m\n"
                              "powerDrivers: {programs: [], secrets: [/a, /b]}\n"
                              "zoneinfo: /opt/zones\n"
                              "log: {level: warn, format: json}\n");

    (void)state;
    assert_string_equal(c->state_dir, "/srv/h");
    assert_string_equal(c->host, "::1");
    assert_int_equal(c->port, 9);
    assert_string_equal(c->cluster_name, "attic");
    assert_int_equal(c->report_interval_ms, 400);
    assert_int_equal(c->tick_ms, 100);
    assert_int_equal(c->seed, 7);
    assert_int_equal(c->plan_steps, 500);
    assert_int_equal(c->nodes_max, 12);
    assert_int_equal(c->ports.low, 100);
    assert_int_equal(c->ports.high, 200);
    assert_int_equal(c->server.threads, 3);
    assert_int_equal(c->server.connections, 99);
    assert_true(c->front_door.run);
    assert_string_equal(c->front_door.listen, "0.0.0.0:80");
    assert_string_equal(c->front_door.program, "/opt/haproxy");
    assert_string_equal(c->front_door.endpoints_file, "/run/e.json");
    assert_string_equal(config_front_door(c).dir, "/srv/h/front-door");
    assert_int_equal(c->front_door.slots, 5);
    assert_int_equal(c->front_door.queue_ms, 3000);
    assert_int_equal(c->front_door.answer_ms, 60000);
    assert_int_equal(c->power_drivers.programs.n, 0); /* none is not the default */
    assert_int_equal(c->power_drivers.secrets.n, 2);
    assert_string_equal(c->zoneinfo, "/opt/zones");
    assert_int_equal(c->log.level, LOG_LEVEL_WARN);
    assert_int_equal(c->log.format, LOG_FORMAT_JSON);
    assert_true(config_has_front_door(c));
}

static void kubernetes_is_a_kubeconfig_or_a_pod(void **state)
{
    AUTO(config) struct config *file = loaded("kubernetes: {kubeconfig: /k, context: c}\n");
    AUTO(config) struct config *pod = loaded("kubernetes: {inCluster: true}\n");
    AUTO(config) struct config *none = loaded("");

    (void)state;
    assert_true(config_has_kubernetes(file) && config_has_kubernetes(pod));
    assert_false(config_has_kubernetes(none));
    assert_string_equal(file->kubernetes.kubeconfig, "/k");
    assert_string_equal(file->kubernetes.context, "c");
    refused("kubernetes: {kubeconfig: /k, inCluster: true}\n", "not both");
    refused("kubernetes: {kubeconfig: k}\n", "kubernetes.kubeconfig: expected an absolute path");
    refused("kubernetes: {context: c}\n", "set kubernetes.kubeconfig too");
    refused("kubernetes: {inCluster: true}\nfrontDoor: {run: true}\n",
            "frontDoor: not together with kubernetes");
}

static void terms_of_the_lease(void **state)
{
    AUTO(config) struct config *usual = loaded("kubernetes: {inCluster: true}\n");
    AUTO(config)
    struct config *fast =
        loaded("kubernetes: {namespace: n, lease: {duration: 4s, renewDeadline: 2.6s, retryPeriod: "
               "400ms}}\n");
    struct kube_lease_terms want = KUBE_LEASE_TERMS;
    struct kube_leader_terms terms = usual->kubernetes.lease;

    (void)state;
    assert_int_equal(terms.duration_ms, want.duration_s * 1000);
    assert_int_equal(terms.deadline_ms, want.deadline_ms);
    assert_int_equal(terms.retry_ms, want.retry_ms);
    assert_string_equal(usual->kubernetes.namespace, "");
    terms = fast->kubernetes.lease;
    assert_int_equal(terms.duration_ms, 4000);
    assert_int_equal(terms.deadline_ms, 2600);
    assert_int_equal(terms.retry_ms, 400);
    assert_string_equal(fast->kubernetes.namespace, "n");
    refused("kubernetes: {lease: {duration: 1500ms}}\n", "whole seconds");
    refused("kubernetes: {lease: {duration: 40s}}\n", "kubernetes.lease: a Lease of 40 s");
    refused("kubernetes: {lease: {retryPeriod: 40s}}\n", "kubernetes.lease: a Lease is tried");
}

static void mistakes_are_told_with_their_place(void **state)
{
    (void)state;
    refused("tick: 1s\nreportIntervall: 5s\n", ":2:1: reportIntervall: unknown field; did you mean "
                                               "\"reportInterval\"?");
    refused("tick: soon\n", ":1:1: tick: ");
    refused("reportInterval: 1ms\n", "must be at least 100ms");
    refused("log: {level: loud}\n", "not one of: debug info warn error");
    refused("tick: 1s\nports: {low: 9, high: 8}\n", ":2:1: ports: low is above high");
    refused("# x\nstateDir: here\n", ":2:1: stateDir: expected an absolute path");
    refused("frontDoor:\n  run: true\n  listen: nowhere\n", ":3:3: frontDoor.listen: expected");
    refused("listen: localhost:1\n", "listen: expected an IP address and a port");
    refused("listen: 127.0.0.1\n", "listen: expected an IP address and a port");
    refused("listen: 127.0.0.1:70000\n", "listen: expected an IP address and a port");
    refused("listen: '127.0.0.1:'\n", "listen: expected an IP address and a port");
    refused("frontDoor: {run: true, socket: /run/h.sock}\n", "not both");
    refused("frontDoor: {run: true, listen: nowhere}\n", "frontDoor.listen: expected");
    refused("powerDrivers: {programs: [bin]}\n", "powerDrivers.programs: expected absolute paths");
    refused("powerDrivers: {secrets: [etc]}\n", "powerDrivers.secrets: expected absolute paths");
    refused("powerDrivers: {hosts: [\"https://x\"]}\n",
            "powerDrivers.hosts: \"https://x\": expected");
    refused("clusterName: a-name-that-is-much-too-long-to-be-kept-in-40-bytes\n",
            "clusterName: longer");
    refused("tls: {certificate: /c.pem}\n", "certificate and key are needed together");
}

struct changes {
    const struct config *running, *fresh;
    char live[256], restart[256];
};

static bool note_change(void *data, const struct field *f)
{
    struct changes *c = data;
    bool live = config_is_live(f, c->running, c->fresh);
    char *to = live ? c->live : c->restart;

    (void)snprintf(to + strlen(to), 256 - strlen(to), " %s", f->path);
    return live;
}

#define NEW_KEYS                                                \
    "tls: {certificate: /c2, key: /k}\nseed: 4\ntokens: /t\n"   \
    "powerDrivers: {programs: [/a, /b]}\nlog: {level: debug}\n" \
    "tick: 1s\nfrontDoor: {run: true}\nstateDir: /s\n"

static void what_can_change_while_it_runs(void **state)
{
    AUTO(config)
    struct config *running = loaded("tls: {certificate: /c, key: /k}\nseed: 3\n"
                                    "powerDrivers: {programs: [/a]}\n");
    AUTO(config) struct config *fresh = loaded(NEW_KEYS);
    AUTO(config) struct config *again = loaded(NEW_KEYS);
    struct changes c = { running, fresh, "", "" };

    (void)state;
    fields_take_over(config_fields(), running, fresh, note_change, &c);
    assert_string_equal(c.live, " tls.certificate powerDrivers.programs log.level");
    assert_string_equal(c.restart, " stateDir tokens tick seed frontDoor.run");
    assert_string_equal(running->tls.certificate, "/c2");
    assert_int_equal(running->power_drivers.programs.n, 2);
    assert_string_equal(running->power_drivers.programs.item[1], "/b");
    assert_int_equal(running->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(running->seed, 3);
    assert_int_equal(running->tick_ms, 500);
    assert_string_equal(running->tokens, "");
    assert_string_equal(running->state_dir, "/var/lib/huddle-controller");
    c = (struct changes){ running, again, "", "" };
    fields_take_over(config_fields(), running, again, note_change, &c);
    assert_string_equal(c.live, ""); /* what is in force is no change any more */
    assert_string_equal(c.restart, " stateDir tokens tick seed frontDoor.run");
}

static void tls_comes_and_goes_with_a_restart_only(void **state)
{
    AUTO(config) struct config *with = loaded("tls: {certificate: /c, key: /k}\ntokens: /t\n");
    AUTO(config) struct config *without = loaded("");

    (void)state;
    for (const struct field *f = config_fields(); f->path; f++) {
        if (strncmp(f->path, "tls.", 4) != 0 && strcmp(f->path, "tokens") != 0)
            continue;
        assert_true(config_is_live(f, with, with));
        assert_false(config_is_live(f, with, without));
        assert_false(config_is_live(f, without, with));
    }
}

/* Where somebody says other files, those count. */
static void the_folder_of_the_doors_fills_in(void **state)
{
    struct config *c = loaded("listen: 0.0.0.0:7443\npki: /p\n");

    (void)state;
    assert_string_equal(c->tls.certificate, "/p/server.pem");
    assert_string_equal(c->tls.key, "/p/server.key");
    assert_string_equal(c->tokens, "/p/tokens");
    assert_true(config_has_own_certificate(c));
    config_free(c);
    c = loaded("pki: /p\ntls: {certificate: /c, key: /k}\ntokens: /t\n");
    assert_string_equal(c->tls.certificate, "/c");
    assert_string_equal(c->tls.key, "/k");
    assert_string_equal(c->tokens, "/t");
    assert_false(config_has_own_certificate(c));
    config_free(c);
    refused("agents: {listen: '127.0.0.1:1'}\n", "agents.listen: needs pki");
    refused("pki: /p\nagents: {listen: nowhere}\n", "agents.listen: expected an IP address");
    refused("pki: /p\ntls: {certificate: /c}\n", "certificate and key are needed together");
}

static void it_listens_in_the_open_only_with_tls_and_tokens(void **state)
{
    (void)state;
    refused("listen: 0.0.0.0:7443\n", "set tls.certificate and tls.key to PEM files");
    refused("listen: 0.0.0.0:7443\n", "set tokens to a file of hashed tokens");
    refused("listen: '[::]:7443'\n", "or listen on 127.0.0.1");
    refused("pki: pki\n", "pki: expected an absolute path");
    refused("listen: 0.0.0.0:7443\ntls: {certificate: /c, key: /k}\n", "machines; set tokens");
    refused("listen: 0.0.0.0:7443\ntokens: /t\n", "to PEM files; `huddle-controller init` makes");
    config_free(loaded("listen: 0.0.0.0:7443\ntls: {certificate: /c, key: /k}\ntokens: /t\n"));
    config_free(loaded("listen: 127.9.9.9:7443\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_is_the_defaults),
        cmocka_unit_test(the_example_shows_every_key_with_its_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(kubernetes_is_a_kubeconfig_or_a_pod),
        cmocka_unit_test(terms_of_the_lease),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(what_can_change_while_it_runs),
        cmocka_unit_test(tls_comes_and_goes_with_a_restart_only),
        cmocka_unit_test(the_folder_of_the_doors_fills_in),
        cmocka_unit_test(it_listens_in_the_open_only_with_tls_and_tokens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
