/* Report and Reply: bytes <-> plain structs. The only user of the generated protobuf-c code.
 *
 * The structs below mirror huddle.proto field by field; the units are in the names and the meaning
 * of each field is documented there. Strings are never NULL ("" when absent), valid UTF-8 without
 * control bytes, and *borrowed*: when encoding from whoever filled the struct in, when decoding
 * from the message that wire_*_decode() returned (free it with wire_*_free()).
 *
 * Decoding checks everything before it allocates in proportion to it: at most WIRE_MESSAGE_MAX
 * bytes, WIRE_REPLICAS_MAX replicas, WIRE_PODS_MAX pods, WIRE_ZONES_MAX zones, WIRE_NAME_MAX bytes
 * for a name (a boot id: WIRE_BOOT_ID_MAX), WIRE_TEXT_MAX for free text; numbers that are finite
 * and in range; enums that are known (an unknown value of an enum is read as UNSPECIFIED, unknown
 * fields are ignored: an older peer must understand a newer one). What breaks a limit is refused
 * whole: -EBADMSG with the field's path in `e` ("replicas[3].port: ...").
 */
#ifndef HUDDLE_WIRE_H
#define HUDDLE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"

#define WIRE_MESSAGE_MAX (4u << 20)
#define WIRE_REPLICAS_MAX 4096u
#define WIRE_ZONES_MAX 1024u
#define WIRE_PODS_MAX 2048u
#define WIRE_GPUS_MAX 256u
#define WIRE_LIST_MAX 256u /* labels, arguments, command words, problems, buckets, ... */
#define WIRE_NAME_MAX 256u
#define WIRE_BOOT_ID_MAX 63u /* a UUID has 36 */
#define WIRE_TEXT_MAX 4096u
#define WIRE_MOMENT_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define WIRE_AGE_MAX_MS UINT64_C(315360000000)      /* ten years */
#define WIRE_CONTENT_TYPE "application/x-protobuf"

enum provenance {
    PROVENANCE_UNSPECIFIED,
    PROVENANCE_MEASURED,
    PROVENANCE_ESTIMATED,
    PROVENANCE_AMBIGUOUS,
    PROVENANCE_UNAVAILABLE,
};

enum zone_kind {
    ZONE_UNSPECIFIED,
    ZONE_PACKAGE,
    ZONE_CORE,
    ZONE_UNCORE,
    ZONE_DRAM,
    ZONE_PSYS,
    ZONE_GPU,
    ZONE_PLATFORM,
};

enum replica_phase {
    REPLICA_UNSPECIFIED,
    REPLICA_STARTING,
    REPLICA_READY,
    REPLICA_UNREADY,
    REPLICA_DRAINING,
    REPLICA_BACKOFF,
    REPLICA_FAILED,
    REPLICA_EXITED,
};

enum power_stage {
    POWER_STAGE_NONE,
    POWER_STAGE_READY,
    POWER_STAGE_REFUSED,
    POWER_STAGE_BYE,
    POWER_STAGE_ABORTED,
};

enum probe_kind { PROBE_NONE, PROBE_HTTP, PROBE_TCP, PROBE_EXEC };

enum power_order_kind {
    POWER_ORDER_NONE,
    POWER_ORDER_PREPARE,
    POWER_ORDER_COMMIT,
    POWER_ORDER_CANCEL,
};

/* Lower-case words for tables and JSON: "measured", "package", "ready", "refused". Never NULL. */
const char *provenance_name(enum provenance p);
const char *zone_kind_name(enum zone_kind k);
const char *replica_phase_name(enum replica_phase p);
const char *power_stage_name(enum power_stage s);

struct wire_pair { /* a label, an argument, an environment variable */
    const char *key;
    const char *value;
};

struct wire_zone {
    const char *name, *path;
    enum zone_kind kind;
    uint64_t energy_uj;
    enum provenance provenance;
    bool counted;
    uint32_t gaps;
    uint64_t max_power_uw;
};

struct wire_gpu {
    const char *model, *uuid;
    uint64_t memory_bytes, memory_used_bytes;
    uint32_t utilization_permille;
};

struct wire_inventory {
    uint32_t cpus;
    uint64_t cpu_milli, memory_bytes;
    struct wire_gpu *gpus;
    size_t n_gpus;
    const char *machine_id, *product_uuid, *virtualization, *host_node;
    const char *architecture, *kernel, *power_model, *address, *version;
    bool allow_sleep, allow_commands;
    const char **runtimes;
    size_t n_runtimes;
    struct wire_pair *labels; /* ascending by key */
    size_t n_labels;
    const char **macs;
    size_t n_macs;
};

struct wire_histogram {
    double *bound_ms; /* ascending */
    uint64_t *count;  /* cumulative, as many as bounds */
    size_t n;
    uint64_t total;
    double sum_ms;
};

struct wire_replica {
    const char *uid, *model, *reason;
    enum replica_phase phase;
    int64_t pid;
    uint32_t port, restarts;
    uint64_t cpu_ns, memory_bytes;
    uint64_t requests, errors, tokens;
    double in_flight, queue;
    bool metrics_known;
    struct wire_histogram latency;
    uint64_t energy_idle_uj, energy_dynamic_uj;
    uint64_t load_ms, generation;
    bool port_taken; /* failed because a stranger listens on its port */
};

struct wire_pod {
    const char *uid;
    uint64_t cpu_ns, memory_bytes;
    uint64_t energy_idle_uj, energy_dynamic_uj;
};

struct wire_problem {
    const char *what, *fix;
};

struct wire_report {
    const char *node, *boot_id, *cluster_id;
    uint64_t epoch, sequence;
    int64_t sent_wall_ms, boot_ms;
    uint64_t age_ms;
    uint32_t interval_ms;
    struct wire_zone *zones;
    size_t n_zones;
    uint64_t energy_measured_uj, energy_estimated_uj, energy_unattributed_uj;
    uint32_t energy_gaps;
    struct {
        uint64_t busy_ns, idle_ns, iowait_ns, steal_ns, guest_ns;
    } cpu;
    uint64_t memory_used_bytes;
    struct {
        bool known;
        uint64_t cpu_us, memory_us, io_us;
    } pressure;
    struct wire_replica *replicas;
    size_t n_replicas;
    struct wire_pod *pods;
    size_t n_pods;
    const struct wire_inventory *inventory; /* NULL when unchanged */
    uint64_t generation;
    struct {
        const char *op;
        enum power_stage stage;
        const char *reason;
    } power;
    struct wire_problem *problems;
    size_t n_problems;
    uint64_t max_term;
    const char **features;
    size_t n_features;
    uint32_t foreign_busy_permille;
    uint64_t power_cap_uw;
};

struct wire_probe {
    enum probe_kind kind;
    const char *path;
    uint32_t port;
    const char **command;
    size_t n_command;
    uint32_t period_ms, timeout_ms, failures, startup_ms;
};

struct wire_desired {
    const char *uid, *model, *runtime;
    struct wire_pair *arguments;
    size_t n_arguments;
    const char **command;
    size_t n_command;
    struct wire_pair *environment;
    size_t n_environment;
    uint32_t port;
    uint64_t cpu_milli, memory_bytes;
    uint32_t *gpus;
    size_t n_gpus;
    struct wire_probe readiness;
    uint32_t drain_ms, grace_ms;
    const char *metrics_path, *metrics_preset;
    uint64_t generation;
    bool exclusive; /* it may run elsewhere by now: a stored desired state does not start it */
};

/* Every field is the same, lists and maps in the same order. */
bool wire_desired_equal(const struct wire_desired *a, const struct wire_desired *b);

struct wire_reply {
    uint64_t epoch, sequence;
    const char *cluster_id;
    uint64_t term, instance, generation;
    bool desired_present;
    struct wire_desired *replicas;
    size_t n_replicas;
    uint64_t power_cap_uw;
    uint32_t next_interval_ms;
    struct {
        enum power_order_kind kind;
        const char *op, *boot_id;
        int64_t wake_by_wall_ms;
    } power;
    bool send_inventory, new_epoch;
    uint32_t fleet_size;
};

/* Appends the message to `out`. Two encoded messages in a row decode as their merge (protobuf): the
 * controller appends a cached desired state to the few bytes that answer one report. Returns 0, or
 * -EINVAL when the struct breaks a limit above (the same checks as in decoding). */
int wire_report_encode(const struct wire_report *report, struct strbuf *out, struct err *e);
int wire_reply_encode(const struct wire_reply *reply, struct strbuf *out, struct err *e);

/* `ret_report` owns all that it points to. */
int wire_report_decode(const void *bytes, size_t n, struct wire_report **ret_report, struct err *e);
void wire_report_free(struct wire_report *report);
DEFINE_AUTO(wire_report, struct wire_report *, wire_report_free);

int wire_reply_decode(const void *bytes, size_t n, struct wire_reply **ret_reply, struct err *e);
void wire_reply_free(struct wire_reply *reply);
DEFINE_AUTO(wire_reply, struct wire_reply *, wire_reply_free);

#endif
