/* What this node is: see inventory.h. */
#include "agent/inventory.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/sensor/cgroup.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"

#define PATH_SIZE 512
#define LINE_SIZE 200
#define MACS_MAX 16u
#define DMI "/devices/virtual/dmi/id" /* class/dmi/id leads there, where there is a class */

struct inventory {
    struct wire_inventory wire;
    char machine_id[LINE_SIZE], product_uuid[LINE_SIZE], address[LINE_SIZE], model[LINE_SIZE];
    char *host_node;
    const char *virtualization;
    struct utsname uts;
    struct wire_gpu *gpus;
    struct sample_gpu *gpu_texts;
    char **runtimes;
    char macs[MACS_MAX][32];
    const char *mac_pointers[MACS_MAX];
    struct wire_pair *labels;
};

static void line_of(const char *root, const char *path, char line[LINE_SIZE])
{
    char whole[PATH_SIZE];

    line[0] = '\0';
    if (snprintf(whole, sizeof(whole), "%s%s", root, path) < PATH_SIZE &&
        text_file_line(whole, line, LINE_SIZE) < 0)
        line[0] = '\0';
}

/* --- guest or bare metal ---------------------------------------------------------------------- */

static bool cpu_is_virtual(const char *proc)
{
    char path[PATH_SIZE];
    AUTO(mem) char *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/cpuinfo", proc);
    return text_file_read_all(path, 4u << 20, &text) >= 0 && strstr(text, " hypervisor") != NULL;
}

/* Words as systemd-detect-virt(1) prints them; the most common makers, else "vm". */
static const char *virtualization(const char *sys, const char *proc, const char *run)
{
    static const struct {
        const char *maker, *word;
    } MAKERS[] = { { "QEMU", "qemu" },
                   { "KVM", "kvm" },
                   { "VMware", "vmware" },
                   { "innotek", "oracle" },
                   { "Xen", "xen" },
                   { "Amazon EC2", "amazon" },
                   { "Google", "google" },
                   { "Microsoft Corporation Virtual", "microsoft" },
                   { "Parallels", "parallels" } };
    char maker[LINE_SIZE], product[LINE_SIZE], container[LINE_SIZE], both[2 * LINE_SIZE + 2];

    line_of(run, "/systemd/container", container);
    if (container[0])
        return "container";
    line_of(sys, DMI "/sys_vendor", maker);
    line_of(sys, DMI "/product_name", product);
    (void)snprintf(both, sizeof(both), "%s %s", maker, product);
    for (size_t i = 0; i < ARRAY_LEN(MAKERS); i++)
        if (strstr(both, MAKERS[i].maker) && cpu_is_virtual(proc))
            return MAKERS[i].word;
    return cpu_is_virtual(proc) ? "vm" : "";
}

/* --- parts ------------------------------------------------------------------------------------ */

static void set_capacity(struct inventory *i, const struct inventory_source *from,
                         const char *cgroups, const char *proc)
{
    const uint64_t limits[] = { cgroup_cpu_limit_milli(cgroups, proc),
                                (uint64_t)from->config->cpu_capacity_milli };

    i->wire.cpus = from->sample->cpu.online;
    i->wire.cpu_milli = (uint64_t)i->wire.cpus * 1000;
    for (size_t k = 0; k < ARRAY_LEN(limits); k++)
        if (limits[k] > 0 && (limits[k] < i->wire.cpu_milli || i->wire.cpu_milli == 0))
            i->wire.cpu_milli = limits[k];
    i->wire.memory_bytes = from->sample->memory.valid ? from->sample->memory.total_bytes : 0;
}

static void set_gpus(struct inventory *i, const struct sample *s)
{
    size_t n = s->n_gpus < WIRE_GPUS_MAX ? s->n_gpus : WIRE_GPUS_MAX;

    i->gpus = xcalloc(n + 1, sizeof(*i->gpus));
    i->gpu_texts = xcalloc(n + 1, sizeof(*i->gpu_texts));
    for (size_t g = 0; g < n; g++) {
        i->gpu_texts[g] = s->gpus[g];
        i->gpus[g] = (struct wire_gpu){ .model = i->gpu_texts[g].model,
                                        .uuid = i->gpu_texts[g].uuid,
                                        .memory_bytes = s->gpus[g].memory_bytes };
    }
    i->wire.gpus = i->gpus;
    i->wire.n_gpus = n;
}

/* Hardware addresses of real interfaces, for those who wake this node. */
static void set_macs(struct inventory *i, const char *sys)
{
    char path[PATH_SIZE], line[LINE_SIZE];
    DIR *d;

    (void)snprintf(path, sizeof(path), "%s/class/net", sys);
    d = opendir(path);
    for (struct dirent *entry = d ? readdir(d) : NULL; entry && i->wire.n_macs < MACS_MAX;
         entry = readdir(d)) {
        (void)snprintf(path, sizeof(path), "%s/class/net/%.64s/device", sys, entry->d_name);
        if (entry->d_name[0] == '.' || access(path, F_OK) < 0)
            continue;
        (void)snprintf(path, sizeof(path), "/class/net/%.64s/address", entry->d_name);
        line_of(sys, path, line);
        if (line[0] == '\0' || strcmp(line, "00:00:00:00:00:00") == 0)
            continue;
        (void)snprintf(i->macs[i->wire.n_macs], sizeof(i->macs[0]), "%.31s", line);
        i->mac_pointers[i->wire.n_macs] = i->macs[i->wire.n_macs];
        i->wire.n_macs++;
    }
    if (d)
        (void)closedir(d);
    i->wire.macs = i->mac_pointers;
}

static void set_lists(struct inventory *i, const struct inventory_source *from)
{
    const struct string_map *labels = &from->config->labels;
    size_t n = from->n_runtimes < WIRE_LIST_MAX ? from->n_runtimes : WIRE_LIST_MAX;

    i->runtimes = xcalloc(n + 1, sizeof(*i->runtimes));
    for (size_t k = 0; k < n; k++)
        i->runtimes[k] = xstrdup(from->runtimes[k]);
    i->wire.runtimes = (const char **)i->runtimes;
    i->wire.n_runtimes = n;
    n = labels->n < WIRE_LIST_MAX ? labels->n : WIRE_LIST_MAX;
    i->labels = xcalloc(n + 1, sizeof(*i->labels));
    for (size_t k = 0; k < n; k++)
        i->labels[k] =
            (struct wire_pair){ xstrdup(labels->pair[k].key), xstrdup(labels->pair[k].value) };
    i->wire.labels = i->labels;
    i->wire.n_labels = n;
}

struct inventory *inventory_new(const struct inventory_source *from)
{
    struct inventory *i = xcalloc(1, sizeof(*i));
    const char *proc = from->proc_root ? from->proc_root : "/proc";
    const char *sys = from->sys_root ? from->sys_root : "/sys";
    const char *etc = from->etc_root ? from->etc_root : "/etc";
    const char *run = from->run_root ? from->run_root : "/run";

    line_of(etc, "/machine-id", i->machine_id);
    line_of(sys, DMI "/product_uuid", i->product_uuid); /* root only: may be "" */
    (void)snprintf(i->address, sizeof(i->address), "%s", from->address);
    (void)snprintf(i->model, sizeof(i->model), "%s", from->power_model);
    i->host_node = xstrdup(from->config->host_node);
    (void)uname(&i->uts);
    i->wire.machine_id = i->machine_id;
    i->wire.product_uuid = i->product_uuid;
    i->wire.virtualization = virtualization(sys, proc, run);
    i->wire.host_node = i->host_node;
    i->wire.architecture = i->uts.machine;
    i->wire.kernel = i->uts.release;
    i->wire.power_model = i->model;
    i->wire.address = i->address;
    i->wire.version = HUDDLE_VERSION;
    i->wire.allow_sleep = from->config->allow_sleep;
    i->wire.allow_commands = from->config->allow_commands;
    set_capacity(i, from, from->cgroup_root ? from->cgroup_root : "/sys/fs/cgroup", proc);
    set_gpus(i, from->sample);
    set_macs(i, sys);
    set_lists(i, from);
    return i;
}

void inventory_free(struct inventory *i)
{
    if (!i)
        return;
    for (size_t k = 0; k < i->wire.n_runtimes; k++)
        free(i->runtimes[k]);
    for (size_t k = 0; k < i->wire.n_labels; k++) {
        free((char *)i->labels[k].key);
        free((char *)i->labels[k].value);
    }
    free(i->runtimes);
    free(i->labels);
    free(i->gpus);
    free(i->gpu_texts);
    free(i->host_node);
    free(i);
}

const struct wire_inventory *inventory_wire(const struct inventory *i)
{
    return &i->wire;
}

/* --- the address ------------------------------------------------------------------------------ */

static int host_of(const char *url, char *host, size_t size)
{
    const char *from = strstr(url, "://"), *to;

    if (!from)
        return -EINVAL;
    from += 3;
    if (*from == '[') {
        from++;
        to = strchr(from, ']');
    } else {
        to = from + strcspn(from, ":/");
    }
    if (!to || to == from || (size_t)(to - from) >= size)
        return -EINVAL;
    memcpy(host, from, (size_t)(to - from));
    host[to - from] = '\0';
    return 0;
}

/* Connecting a datagram socket sends nothing, but makes the kernel choose the source address. */
static int facing(const struct addrinfo *to, char *text, size_t size)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof(own);
    AUTO(fd) int fd = socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &length) < 0)
        return -errno;
    return getnameinfo((struct sockaddr *)&own, length, text, (socklen_t)size, NULL, 0,
                       NI_NUMERICHOST) == 0
               ? 0
               : -EINVAL;
}

int inventory_address(const char *url, char *text, size_t size)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found = NULL;
    char host[256];
    int r = host_of(url, host, sizeof(host));

    if (r < 0)
        return r;
    if (getaddrinfo(host, "9", &hints, &found) != 0)
        return -EHOSTUNREACH;
    r = -EHOSTUNREACH;
    for (const struct addrinfo *to = found; to && r < 0; to = to->ai_next)
        r = facing(to, text, size);
    freeaddrinfo(found);
    return r;
}
