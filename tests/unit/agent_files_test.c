/* What the agent reads and writes on its node: the state folder, the configuration, who speaks
 * against sleeping, the inventory. Each in a folder of its own below /tmp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/inventory.h"
#include "agent/ledger_slots.h"
#include "agent/power_off.h"
#include "agent/sensor/powercap_tree.h"
#include "agent/sleep_check.h"
#include "agent/state_files.h"
#include "proto/base/array.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/huddle-agent-files-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *below(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

/* A copy that stays: below() keeps only the last. */
static char *path_of(const char *name)
{
    return xstrdup(below(name));
}

static void put(const char *name, const char *text)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s", below(name));
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755);
        *slash = '/';
    }
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* --- state files ------------------------------------------------------------------------------ */

static void test_state_files(void **state)
{
    struct err e = ERR_INIT;
    char *bytes;
    size_t n;
    int dir = -1, other = -1;

    (void)state;
    assert_int_equal(state_dir_open(below("deep/state"), &dir, &e), 0);
    assert_int_equal(state_dir_open(below("deep/state"), &other, &e), -EBUSY);
    assert_non_null(strstr(e.text, "another agent"));
    assert_int_equal(state_file_read(dir, "a", &bytes, &n, &e), 0);
    assert_null(bytes);
    assert_int_equal(state_file_write(dir, "a", "one\0two", 7, &e), 0);
    assert_int_equal(state_file_write(dir, "a", "three", 5, &e), 0);
    assert_int_equal(state_file_read(dir, "a", &bytes, &n, &e), 0);
    assert_int_equal(n, 5);
    assert_string_equal(bytes, "three");
    free(bytes);
    assert_int_equal(faccessat(dir, "a.new", F_OK, 0), -1);
    state_file_set_aside(dir, "a");
    assert_int_equal(state_file_read(dir, "a.bad", &bytes, &n, &e), 0);
    assert_int_equal(n, 5);
    free(bytes);
    assert_int_equal(symlinkat("/etc/passwd", dir, "link"), 0);
    assert_true(state_file_read(dir, "link", &bytes, &n, &e) < 0);
    assert_int_equal(mkdirat(dir, "b.new", 0700), 0); /* a write that fails ... */
    assert_int_equal(mkdirat(dir, "b", 0700), 0);
    assert_true(state_file_write(dir, "b", "x", 1, &e) < 0);
    assert_non_null(strstr(e.text, "b"));
    (void)close(dir);
    assert_int_equal(state_dir_open(below("deep/state"), &dir, &e), 0); /* the lock went with it */
    (void)close(dir);
}

/* --- ledger ----------------------------------------------------------------------------------- */

static void assert_ledger(struct ledger_slots *s, const char *text)
{
    char *bytes;
    size_t n;

    ledger_slots_read(s, &bytes, &n);
    if (!text) {
        assert_null(bytes);
        return;
    }
    assert_non_null(bytes);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
    free(bytes);
}

/* One byte of the slot's file changes, or its end is missing: as when a write was cut short. */
static void damage(int fd, off_t at, bool cut)
{
    unsigned char byte;

    if (cut) {
        assert_int_equal(ftruncate(fd, at), 0);
        return;
    }
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void test_ledger_slots(void **state)
{
    struct ledger_slots s = LEDGER_SLOTS_INIT, again = LEDGER_SLOTS_INIT;
    struct err e = ERR_INIT;
    int dir;

    (void)state;
    assert_int_equal(state_dir_open(below("ledger"), &dir, &e), 0);
    assert_int_equal(ledger_slots_open(&s, dir, &e), 0);
    assert_ledger(&s, NULL);
    assert_int_equal(ledger_slots_write(&s, "one", 3, &e), 0);
    assert_ledger(&s, "one");
    assert_int_equal(ledger_slots_write(&s, "two, longer", 11, &e), 0);
    assert_int_equal(ledger_slots_write(&s, "three", 5, &e), 0);
    assert_int_equal(ledger_slots_write(&s, "four", 4, &e), 0); /* over something longer */
    assert_int_equal(ledger_slots_open(&again, dir, &e), 0);
    assert_ledger(&again, "four");
    for (off_t at = 0; at < 36; at++) { /* wherever the newest is damaged, the one before counts */
        for (int cut = 0; cut < 2; cut++) {
            damage(s.fd[0], at, cut);
            assert_ledger(&again, "three");
            s.number = 3;
            assert_int_equal(ledger_slots_write(&s, "four", 4, &e), 0);
            assert_ledger(&again, "four");
        }
    }
    damage(s.fd[0], 0, true);
    damage(s.fd[1], 0, true);
    assert_ledger(&again, NULL);
    assert_int_equal(ledger_slots_write(&again, "five", 4, &e), 0);
    ledger_slots_clear(&again);
    assert_ledger(&s, NULL);
    ledger_slots_close(&s);
    ledger_slots_close(&again);
    (void)close(dir);
}

static void test_ledger_on_a_full_disk(void **state)
{
    struct ledger_slots s = LEDGER_SLOTS_INIT;
    struct err e = ERR_INIT;

    (void)state;
    s.fd[0] = open("/dev/full", O_RDWR | O_CLOEXEC);
    s.fd[1] = dup(s.fd[0]);
    assert_true(ledger_slots_write(&s, "one", 3, &e) < 0);
    assert_non_null(strstr(e.text, "ledger"));
    ledger_slots_close(&s);
}

/* --- configuration ---------------------------------------------------------------------------- */

static struct agent_config *load(const char *text, struct err *e)
{
    struct agent_config *c = NULL;

    put("agent.yaml", text);
    (void)agent_config_load(below("agent.yaml"), &c, e);
    return c;
}

static void test_config_defaults(void **state)
{
    struct err e = ERR_INIT;
    AUTO(agent_config)
    struct agent_config *c = load("node: n1\ncontroller: {url: 'https://h:7443//'}\n", &e);

    (void)state;
    if (!c)
        fail_msg("%s", e.text);
    assert_string_equal(c->node, "n1");
    assert_string_equal(c->controller.url, "https://h:7443");
    assert_string_equal(c->state_dir, "/var/lib/huddle-agent");
    assert_string_equal(c->no_sleep_file, "/etc/huddle/no-sleep");
    assert_false(c->allow_sleep || c->allow_commands);
    assert_int_equal(c->interval_ms, 5000);
    assert_string_equal(c->power_off.command.item[0], "/bin/systemctl");
    assert_string_equal(c->power_off.command.item[1], "poweroff");
    assert_null(c->metrics.host);
    assert_non_null(strstr(agent_config_sleep_not(c), "allowSleep"));
}

static void named(const char *environment, const char *text, const char *node)
{
    struct err e = ERR_INIT;

    if (environment)
        assert_int_equal(setenv("HUDDLE_NODE", environment, 1), 0);
    else
        assert_int_equal(unsetenv("HUDDLE_NODE"), 0);
    AUTO(agent_config) struct agent_config *c = load(text, &e);
    assert_int_equal(unsetenv("HUDDLE_NODE"), 0);
    if (node)
        assert_string_equal(c ? c->node : e.text, node);
    else if (c || !strstr(e.text, "node: expected lower-case letters"))
        fail_msg("%s", c ? c->node : e.text);
}

/* The file comes before the environment, that before the host name. */
static void test_config_names_the_node(void **state)
{
    char host[256] = "";

    (void)state;
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    named("n7", "controller: {url: http://127.0.0.1:7443}\nnode: a1\n", "a1");
    named("n7", "controller: {url: http://127.0.0.1:7443}\n", "n7");
    named("", "controller: {url: http://127.0.0.1:7443}\n", host);
    named(NULL, "controller: {url: http://127.0.0.1:7443}\n", host);
    named("N7", "controller: {url: http://127.0.0.1:7443}\n", NULL);
}

static void test_config_whole(void **state)
{
    struct err e = ERR_INIT;
    AUTO(agent_config)
    struct agent_config *c = load("node: n1.rack-2\n"
                                  "address: 10.0.0.7\n"
                                  "stateDir: /s\n"
                                  "allowSleep: true\n"
                                  "labels: {rack: a}\n"
                                  "interval: 500ms\n"
                                  "controller: {url: 'http://[::1]:1', ca: /ca, tokenFile: /t}\n"
                                  "powerOff: {command: [/p, 'off'], wakeAlarm: ''}\n"
                                  "metricsListen: '[::1]:9101'\n"
                                  "log: {level: debug, format: json}\n",
                                  &e);

    (void)state;
    if (!c)
        fail_msg("%s", e.text);
    assert_string_equal(agent_config_sleep_not(c), "");
    assert_string_equal(c->metrics.host, "::1");
    assert_int_equal(c->metrics.port, 9101);
    assert_int_equal(c->power_off.command.n, 2);
    assert_string_equal(string_map_get(&c->labels, "rack"), "a");
    assert_int_equal(c->log.level, LOG_LEVEL_DEBUG);
    assert_int_equal(c->log.format, 1);
}

static void test_config_refuses(void **state)
{
    static const struct {
        const char *text, *why;
    } BAD[] = {
        { "", "expected" },
        { "node: n1\n", "controller.url" },
        { "node: N1\ncontroller: {url: 'http://h'}\n", "lower-case" },
        { "node: -n\ncontroller: {url: 'http://h'}\n", "lower-case" },
        { "controller: {url: 'ftp://h'}\n", "https://" },
        { "controller: {url: 'http://h', certificate: /c}\n", "together" },
        { "controller: {url: 'http://h', tokenFile: t}\n", "absolute" },
        { "controller: {url: 'http://h'}\nstateDir: s\n", "stateDir" },
        { "controller: {url: 'http://h'}\nnoSleepFile: ''\n", "noSleepFile" },
        { "controller: {url: 'http://h'}\npowerOff: {command: [poweroff]}\n", "powerOff.command" },
        { "controller: {url: 'http://h'}\nmetricsListen: 9101\n", "metricsListen" },
        { "controller: {url: 'http://h'}\nmetricsListen: 'localhost:9101'\n", "IP address" },
        { "controller: {url: 'http://h'}\nmetricsListen: '127.0.0.1:99999'\n", "metricsListen" },
        { "controller: {url: 'http://h'}\nalowSleep: true\n", "allowSleep" },
        { "controller: {url: 'http://h'}\nallowSleep: maybe\n", ":2:" },
        { "controller: {url: 'http://h'}\ninterval: 5\n", "interval" },
        { "controller: {url: 'http://h'}\ninterval: 1h\n", "interval" },
        { "controller: {url: 'http://h', token: x}\n", "token" },
        { "controller: {url: 'http://h'}\nlog: {level: loud}\n", "debug" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err e = ERR_INIT;
        AUTO(agent_config) struct agent_config *c = load(BAD[i].text, &e);

        if (c || !strstr(e.text, BAD[i].why) || !strstr(e.text, "agent.yaml"))
            fail_msg("%s: \"%s\" is not in \"%s\"", BAD[i].text, BAD[i].why, e.text);
    }
}

static void test_config_fixed(void **state)
{
    static const char *const FIXED[] = { "node",           "stateDir",     "cgroup",
                                         "cpuLimit",       "powerModel",   "nvmlLibrary",
                                         "metricsListen",  "powercapTree", "pods.cgroups",
                                         "pods.cgroupRoot" };
    size_t n = 0;

    (void)state;
    for (const struct field *f = agent_config_fields(); f->path; f++) {
        bool fixed = false;

        for (size_t i = 0; i < ARRAY_LEN(FIXED); i++)
            fixed |= strcmp(FIXED[i], f->path) == 0;
        n += fixed;
        if (agent_config_is_live(f) == fixed)
            fail_msg("%s", f->path);
    }
    assert_int_equal(n, ARRAY_LEN(FIXED));
}

/* --- sleep ------------------------------------------------------------------------------------ */

static void assert_refused(const struct sleep_check *c, const char *reason)
{
    char why[512] = "";

    assert_true(sleep_check_refuses(c, why, sizeof(why)));
    if (!strstr(why, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, why);
}

static void test_sleep_check(void **state)
{
    AUTO(mem) char *run = path_of("run");
    AUTO(mem) char *file = path_of("no-sleep");
    struct sleep_check c = { .no_sleep_file = file, .run_root = run };
    char why[512];

    (void)state;
    assert_false(sleep_check_refuses(&c, why, sizeof(why))); /* a node without systemd */

    put("no-sleep", "");
    assert_refused(&c, "no-sleep exists");
    assert_int_equal(unlink(file), 0);

    put("run/systemd/sessions/1", "UID=0\nUSER=gdm\nCLASS=greeter\nSTATE=active\n");
    put("run/systemd/sessions/2", "USER=ada\nSTATE=closing\nCLASS=user\n");
    assert_int_equal(mkfifo(below("run/systemd/sessions/2.ref"), 0600), 0);
    put("run/systemd/inhibit/1", "WHAT=handle-lid-switch\nMODE=block\nWHO=x\n");
    put("run/systemd/inhibit/2", "WHAT=sleep\nMODE=delay\nWHO=NetworkManager\n");
    assert_false(sleep_check_refuses(&c, why, sizeof(why)));

    put("run/systemd/sessions/3", "UID=1000\nUSER=ada\nACTIVE=1\nSTATE=online\nCLASS=user\n");
    assert_refused(&c, "logged in: ada");
    assert_int_equal(unlink(below("run/systemd/sessions/3")), 0);

    put("run/systemd/inhibit/3", "WHAT=idle:shutdown\nMODE=block\nWHO=apt\n");
    assert_refused(&c, "held by apt");
    assert_int_equal(unlink(below("run/systemd/inhibit/3")), 0);

    put("run/systemd/machines/db.example", "NAME=db.example\nCLASS=vm\n");
    assert_refused(&c, "guest db.example");
    assert_int_equal(unlink(below("run/systemd/machines/db.example")), 0);
    assert_false(sleep_check_refuses(&c, why, sizeof(why)));

    assert_int_equal(symlink("no-sleep", file), 0); /* a loop: cannot be looked at */
    assert_refused(&c, "no-sleep");
    assert_int_equal(unlink(file), 0);
}

static void test_wake_alarm(void **state)
{
    AUTO(mem) char *path = path_of("wakealarm");
    char text[32] = "";
    struct err e = ERR_INIT;
    FILE *f;

    (void)state;
    assert_int_equal(power_off_set_alarm(path, 1760000123456, &e), -ENOENT);
    put("wakealarm", "");
    assert_int_equal(power_off_set_alarm(path, 1760000123456, &e), 0);
    f = fopen(path, "r");
    assert_non_null(fgets(text, sizeof(text), f));
    assert_string_equal(text, "1760000123"); /* the 0 before it is written over here */
    (void)fclose(f);
}

/* --- the command that switches off --------------------------------------------------------------
 */

struct off {
    struct loop *l;
    int times;
    char why[64];
};

static void on_off(void *data, const char *why)
{
    struct off *o = data;

    o->times++;
    (void)snprintf(o->why, sizeof(o->why), "%s", why);
    loop_stop(o->l, 0);
}

static void on_patience(void *data, int64_t now_ms)
{
    struct off *o = data;

    (void)now_ms;
    loop_stop(o->l, -1);
}

/* Runs `script` as the command; with `descriptors` false, when no descriptor is left. */
static void switch_off(const char *script, bool descriptors, struct off *o)
{
    char words[3][256] = { "/bin/sh", "-c" };
    char *item[] = { words[0], words[1], words[2] };
    struct agent_config config = { .power_off.command = { item, 3 } };
    struct power_off *p = NULL;
    struct rlimit before, now;
    struct loop_timer *patience;
    struct err e = ERR_INIT;
    int least, r;

    *o = (struct off){ 0 };
    (void)snprintf(words[2], sizeof(words[2]), "%s", script);
    assert_int_equal(loop_new(&o->l, &e), 0);
    patience = loop_timer_add(o->l, on_patience, o);
    loop_timer_arm(patience, loop_now_ms(o->l) + 30000);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    least = dup(0);
    assert_true(least > 0 && close(least) == 0);
    now = (struct rlimit){ (rlim_t)least, before.rlim_max };
    if (!descriptors)
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    r = power_off_start(o->l, &config, "op-1", 0, on_off, o, &p, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(r, 0);
    assert_int_equal(loop_run(o->l), 0);
    power_off_free(p);
    loop_timer_remove(patience);
    loop_free(o->l);
}

static void test_the_end_of_the_power_off_command(void **state)
{
    struct off o;

    (void)state;
    for (int descriptors = 0; descriptors < 2; descriptors++) {
        switch_off("exit 0", descriptors, &o);
        assert_string_equal(o.why, "");
        switch_off("sleep 0.3; exit 3", descriptors, &o);
        assert_string_equal(o.why, "exited with code 3");
        assert_int_equal(o.times, 1);
        switch_off("kill -9 $$", descriptors, &o);
        assert_string_equal(o.why, "killed by signal 9");
    }
}

/* --- inventory -------------------------------------------------------------------------------- */

static void test_inventory(void **state)
{
    struct err e = ERR_INIT;
    AUTO(agent_config)
    struct agent_config *c = load("node: n1\nhostNode: big\nallowSleep: true\nlabels: {b: '2', a: "
                                  "'1'}\ncontroller: {url: 'http://h'}\n",
                                  &e);
    struct sample sample = { .cpu = { .valid = true, .online = 8 } };
    const char *runtimes[] = { "one", "two" };
    AUTO(mem) char *sys = path_of("sys");
    AUTO(mem) char *proc = path_of("proc");
    AUTO(mem) char *etc = path_of("etc");
    AUTO(mem) char *cgroups = path_of("cgroup");
    AUTO(mem) char *run = path_of("run");
    struct inventory_source from = { .config = c,
                                     .sample = &sample,
                                     .address = "10.0.0.7",
                                     .power_model = "guest",
                                     .runtimes = runtimes,
                                     .n_runtimes = 2,
                                     .sys_root = sys,
                                     .proc_root = proc,
                                     .etc_root = etc,
                                     .cgroup_root = cgroups,
                                     .run_root = run };

    (void)state;
    put("etc/machine-id", "0123abcd\n");
    put("sys/devices/virtual/dmi/id/product_uuid", "03000200-0400\n");
    put("sys/devices/virtual/dmi/id/sys_vendor", "QEMU\n");
    put("sys/devices/virtual/dmi/id/product_name", "Standard PC\n");
    put("proc/cpuinfo", "flags : fpu hypervisor lm\n");
    put("sys/class/net/eth0/address", "52:54:00:00:00:01\n");
    put("sys/class/net/eth0/device/x", "");
    put("sys/class/net/lo/address", "00:00:00:00:00:00\n");
    put("sys/class/net/br0/address", "52:54:00:00:00:02\n"); /* no hardware behind it */
    put("proc/self/cgroup", "0::/\n");
    put("cgroup/cpu.max", "250000 100000\n");
    sample.memory.valid = true;
    sample.memory.total_bytes = 1u << 30;

    AUTO(inventory) struct inventory *i = inventory_new(&from);
    const struct wire_inventory *w = inventory_wire(i);
    assert_int_equal(w->cpus, 8);
    assert_int_equal(w->cpu_milli, 2500); /* the agent's own cgroup has no more */
    assert_int_equal(w->memory_bytes, 1u << 30);
    assert_string_equal(w->machine_id, "0123abcd");
    assert_string_equal(w->product_uuid, "03000200-0400");
    assert_string_equal(w->virtualization, "qemu");
    assert_string_equal(w->host_node, "big");
    assert_int_equal(w->n_macs, 1);
    assert_string_equal(w->macs[0], "52:54:00:00:00:01");
    assert_int_equal(w->n_labels, 2);
    assert_string_equal(w->labels[0].key, "a");
    assert_int_equal(w->n_runtimes, 2);
    assert_true(w->allow_sleep && !w->allow_commands);
    c->cpu_capacity_milli = 1500;
    AUTO(inventory) struct inventory *less = inventory_new(&from);
    assert_int_equal(inventory_wire(less)->cpu_milli, 1500);
}

static void test_address_that_faces_the_controller(void **state)
{
    char text[64];

    (void)state;
    assert_int_equal(inventory_address("http://127.0.0.1:7443", text, sizeof(text)), 0);
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(inventory_address("http:127.0.0.1", text, sizeof(text)), -EINVAL);
    assert_true(inventory_address("http://", text, sizeof(text)) < 0);
}

/* --- the tree of powercap, in a container ----------------------------------------------------- */

static void the_tree_is_linked_once_and_need_not_be_there(void **state)
{
    AUTO(mem) char *root = path_of("sys-class/powercap");
    AUTO(mem) char *tree = path_of("node/powercap");
    struct powercap_tree found = { 0 };
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(powercap_tree_link(root, tree, &e), -ENOENT); /* no volume there */
    assert_non_null(strstr(e.text, "powercapTree"));
    put("sys-class/other", "");
    assert_int_equal(powercap_tree_link(root, tree, &e), 0);
    assert_int_equal(powercap_tree_link(root, tree, &e), 0);         /* started again */
    assert_int_equal(powercap_tree_walk(root, &found, &e), -ENOENT); /* a node without RAPL */
    put("node/powercap/intel-rapl/intel-rapl:0/name", "package-0\n");
    assert_int_equal(powercap_tree_walk(root, &found, &e), 0);
    assert_int_equal(found.n_nodes, 1);
    powercap_tree_done(&found);
    put("sys-class/taken/x", "");
    AUTO(mem) char *taken = path_of("sys-class/taken");
    assert_int_equal(powercap_tree_link(taken, tree, &e), -EEXIST);
    AUTO(mem) char *other = path_of("node/other");
    put("node/other/intel-rapl/intel-rapl:0/name", "package-0\n");
    put("node/other/intel-rapl/intel-rapl:1/name", "package-1\n");
    assert_int_equal(powercap_tree_link(root, other, &e), 0); /* another configuration */
    assert_int_equal(powercap_tree_walk(root, &found, &e), 0);
    assert_int_equal(found.n_nodes, 2);
    powercap_tree_done(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_files),
        cmocka_unit_test(test_ledger_slots),
        cmocka_unit_test(test_ledger_on_a_full_disk),
        cmocka_unit_test(test_config_defaults),
        cmocka_unit_test(test_config_names_the_node),
        cmocka_unit_test(test_config_whole),
        cmocka_unit_test(test_config_refuses),
        cmocka_unit_test(test_config_fixed),
        cmocka_unit_test(test_sleep_check),
        cmocka_unit_test(test_wake_alarm),
        cmocka_unit_test(test_the_end_of_the_power_off_command),
        cmocka_unit_test(test_inventory),
        cmocka_unit_test(test_address_that_faces_the_controller),
        cmocka_unit_test(the_tree_is_linked_once_and_need_not_be_there),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
