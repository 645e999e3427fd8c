/* CPU and memory of the pods of a Kubernetes node, from the cgroups that its kubelet made for them:
 * "kubepods/burstable/podUID" (driver cgroupfs) or "kubepods.slice/kubepods-burstable.slice/
 * kubepods-burstable-podU_I_D.slice" (driver systemd), on cgroup v1 and v2. Source: kubelet,
 * pkg/kubelet/cm/cgroup_manager_linux.go. What runs in a pod is not looked at. */
#ifndef HUDDLE_POD_CGROUPS_H
#define HUDDLE_POD_CGROUPS_H

#include "agent/sample.h"

struct pod_cgroups;

/* `root`: where the node's cgroup file system is seen; `parent`: kubelet's cgroupRoot in it, "" or
 * "/" for the top. */
struct pod_cgroups *pod_cgroups_new(const char *root, const char *parent);
void pod_cgroups_free(struct pod_cgroups *p); /* accepts NULL */

/* Fills in out->pods, ascending by uid, and out->pods_known; where kubelet's cgroups are not seen,
 * a problem. */
void pod_cgroups_read(struct pod_cgroups *p, struct sample *out);

/* The pod's uid when `name` is the folder of a pod, else false. Pure. */
bool pod_cgroups_uid(const char *name, char uid[SAMPLE_POD_UID]);

/* The CPU request behind a cgroup's weight, in thousandths of a CPU; 0: none. kubelet sets
 * cpu.shares to request * 1024 / 1000, and to 2 where there is no request. On cgroup v2 shares
 * become a cpu.weight of 1 + (shares - 2) * 9999 / 262142, or since 2025 (`curve`) of 10^((l^2 +
 * 125 l) / 612 - 7 / 34) with l = log2(shares), rounded up (opencontainers/cgroups). */
uint64_t pod_cgroups_milli_of_shares(uint64_t shares);
uint64_t pod_cgroups_milli_of_weight(uint64_t weight, bool curve);

/* Which of the two it is: all pods together have the weight of the node's CPUs, or somewhat less.
 */
bool pod_cgroups_is_curve(uint64_t weight_of_all, uint32_t cpus);

#endif
