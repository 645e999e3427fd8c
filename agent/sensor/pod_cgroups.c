/* CPU and memory of pods: see pod_cgroups.h. */
#include "agent/sensor/pod_cgroups.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/cgroup.h"
#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define PATH_SIZE 768
#define DEPTH 2 /* below "kubepods": a class of service, a pod */

static void dir_close(DIR *d)
{
    (void)closedir(d);
}
DEFINE_AUTO(dir, DIR *, dir_close);

struct pod_cgroups {
    char *root, *parent;
};

struct pod_cgroups *pod_cgroups_new(const char *root, const char *parent)
{
    struct pod_cgroups *p = xcalloc(1, sizeof(*p));

    p->root = xstrdup(root);
    p->parent = xstrdup(strcmp(parent, "/") == 0 ? "" : parent);
    return p;
}

void pod_cgroups_free(struct pod_cgroups *p)
{
    if (!p)
        return;
    free(p->root);
    free(p->parent);
    free(p);
}

/* --- names and numbers ------------------------------------------------------------------------ */

static bool ends(const char *text, size_t n, const char *with)
{
    size_t k = strlen(with);

    return n >= k && strncmp(text + n - k, with, k) == 0;
}

bool pod_cgroups_uid(const char *name, char uid[SAMPLE_POD_UID])
{
    size_t n = strlen(name), k = 0;
    bool slice = ends(name, n, ".slice");
    const char *at = name;

    if (slice) {
        n -= strlen(".slice");
        at = strstr(name, "-pod");
        if (strncmp(name, "kubepods", strlen("kubepods")) != 0 || !at)
            return false;
        at++;
    }
    if (strncmp(at, "pod", 3) != 0)
        return false;
    at += 3;
    n -= (size_t)(at - name);
    if (n == 0 || n >= SAMPLE_POD_UID)
        return false;
    for (; k < n; k++) {
        uid[k] = slice && at[k] == '_' ? '-' : at[k];
        /* A UUID, or the digest that kubelet names a static pod by. */
        if (!strchr("0123456789abcdefABCDEF-", uid[k]))
            return false;
    }
    uid[k] = '\0';
    return true;
}

uint64_t pod_cgroups_milli_of_shares(uint64_t shares)
{
    if (shares <= 2)
        return 0;
    return shares > UINT32_MAX ? 0 : (shares * 1000 + 512) / 1024;
}

static double shares_of(uint64_t weight, bool curve)
{
    double l;

    if (!curve)
        return 2 + ((double)weight - 1) * 262142 / 9999;
    l = (-125 + sqrt(125.0 * 125 + 4 * 612 * (log10((double)weight) + 7.0 / 34))) / 2;
    return exp2(l);
}

uint64_t pod_cgroups_milli_of_weight(uint64_t weight, bool curve)
{
    if (weight <= 1 || weight > 10000)
        return 0;
    return (uint64_t)(shares_of(weight, curve) * 1000 / 1024 + .5);
}

bool pod_cgroups_is_curve(uint64_t weight_of_all, uint32_t cpus)
{
    double all = 1024.0 * cpus;

    if (weight_of_all <= 1 || weight_of_all > 10000 || cpus == 0)
        return false;
    return fabs(log(shares_of(weight_of_all, true) / all)) <
           fabs(log(shares_of(weight_of_all, false) / all));
}

/* --- looking ---------------------------------------------------------------------------------- */

struct look {
    const struct pod_cgroups *pods;
    bool v2, curve;
    struct sample *out;
};

/* v1's have names of their own from machine to machine; the first that has the file. */
static bool read_number(const struct look *l, const char *below, const char *v1_file,
                        const char *v2_file, uint64_t *ret_value)
{
    static const char *const CPU[] = { "/cpu,cpuacct", "/cpu" };
    char path[PATH_SIZE];

    for (size_t i = 0; i < (l->v2 ? 1 : ARRAY_LEN(CPU)); i++) {
        int n = snprintf(path, sizeof(path), "%s%s%s/%s", l->pods->root, l->v2 ? "" : CPU[i], below,
                         l->v2 ? v2_file : v1_file);

        if (n < PATH_SIZE && text_file_u64(path, ret_value) == 0)
            return true;
    }
    return false;
}

static bool read_count(const struct look *l, const char *below, enum cgroup_count what,
                       uint64_t *ret_value)
{
    static const char *const V1[] = { "/cpu,cpuacct", "/cpuacct", "/memory" };
    struct string_list folders = { 0 };
    char paths[ARRAY_LEN(V1)][PATH_SIZE], *items[ARRAY_LEN(V1)];
    struct cgroup_file file = { 0 };
    bool read;

    folders.item = items;
    for (size_t i = 0; i < (l->v2 ? 1 : ARRAY_LEN(V1)); i++) {
        int n = snprintf(paths[i], PATH_SIZE, "%s%s%s", l->pods->root, l->v2 ? "" : V1[i], below);

        if (n < PATH_SIZE)
            items[folders.n++] = paths[i];
    }
    if (cgroup_file_open(&folders, what, &file) < 0)
        return false;
    read = cgroup_file_read(&file, ret_value) == 0;
    cgroup_file_close(&file);
    return read;
}

static void add_pod(const struct look *l, const char *below, const char *uid)
{
    struct sample_pod pod = { 0 };
    uint64_t weight = 0;

    if (!read_count(l, below, CGROUP_CPU_NS, &pod.cpu_ns))
        return; /* it has just ended */
    (void)read_count(l, below, CGROUP_MEMORY_BYTES, &pod.memory_bytes);
    if (read_number(l, below, "cpu.shares", "cpu.weight", &weight))
        pod.requested_milli = l->v2 ? pod_cgroups_milli_of_weight(weight, l->curve)
                                    : pod_cgroups_milli_of_shares(weight);
    (void)snprintf(pod.uid, sizeof(pod.uid), "%s", uid);
    *ARRAY_ADD(l->out, pods) = pod;
}

static bool walk(const struct look *l, const char *hierarchy, const char *below, int depth)
{
    char path[PATH_SIZE], uid[SAMPLE_POD_UID];

    if (snprintf(path, sizeof(path), "%s%s%s", l->pods->root, hierarchy, below) >= PATH_SIZE)
        return false;
    AUTO(dir) DIR *d = opendir(path);
    if (!d)
        return false;
    for (struct dirent *entry = readdir(d); entry; entry = readdir(d)) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
            snprintf(path, sizeof(path), "%s/%s", below, entry->d_name) >= PATH_SIZE)
            continue;
        if (pod_cgroups_uid(entry->d_name, uid))
            add_pod(l, path, uid);
        else if (depth > 1) /* a class of service */
            (void)walk(l, hierarchy, path, depth - 1);
    }
    return true;
}

static int by_uid(const void *a, const void *b)
{
    return strcmp(((const struct sample_pod *)a)->uid, ((const struct sample_pod *)b)->uid);
}

/* One that is just moving between two classes of service may be met in both. */
static void sort(struct sample *out)
{
    size_t kept = 0;

    if (out->n_pods > 1)
        qsort(out->pods, out->n_pods, sizeof(out->pods[0]), by_uid);
    for (size_t i = 0; i < out->n_pods; i++)
        if (i == 0 || by_uid(&out->pods[kept - 1], &out->pods[i]) != 0)
            out->pods[kept++] = out->pods[i];
    out->n_pods = kept;
}

static bool is_v2(const struct pod_cgroups *p)
{
    char path[PATH_SIZE];

    return snprintf(path, sizeof(path), "%s/cgroup.controllers", p->root) < PATH_SIZE &&
           access(path, F_OK) == 0;
}

static bool read_below(struct look *l, const char *kubepods)
{
    static const char *const V1[] = { "/cpu,cpuacct", "/cpuacct" };
    char below[PATH_SIZE];
    uint64_t weight = 0;

    if (snprintf(below, sizeof(below), "%s/%s", l->pods->parent, kubepods) >= PATH_SIZE)
        return false;
    l->curve = l->v2 && read_number(l, below, "", "cpu.weight", &weight) &&
               pod_cgroups_is_curve(weight, l->out->cpu.online);
    if (l->v2)
        return walk(l, "", below, DEPTH);
    return walk(l, V1[0], below, DEPTH) || walk(l, V1[1], below, DEPTH);
}

void pod_cgroups_read(struct pod_cgroups *p, struct sample *out)
{
    struct look l = { .pods = p, .v2 = is_v2(p), .out = out };
    char what[200];

    out->pods_known = read_below(&l, "kubepods") || read_below(&l, "kubepods.slice");
    sort(out);
    if (out->pods_known)
        return;
    (void)snprintf(what, sizeof(what), "no pods are seen: there is no kubepods below %.60s%s%.60s",
                   p->root, l.v2 ? "" : "/cpu,cpuacct or cpuacct", p->parent);
    sample_problem(out, what,
                   "set pods.cgroups to where the node's cgroups are mounted, and "
                   "pods.cgroupRoot as kubelet has it");
}
