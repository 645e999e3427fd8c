/* See fleet.h: two packages with their memory, replicas with latencies, as on a small server. */
#include "tests/bench/fleet.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/wire.h"

#define BUCKETS 10

void fleet_init(struct fleet *f, size_t nodes, size_t replicas, size_t model_nodes)
{
    *f = (struct fleet){ nodes, replicas, model_nodes, xcalloc(nodes, sizeof(*f->sequence)) };
}

void fleet_done(struct fleet *f)
{
    free(f->sequence);
}

void fleet_name(size_t node, char name[FLEET_NAME_MAX])
{
    (void)snprintf(name, FLEET_NAME_MAX, "n%05zu", node);
}

void fleet_model(const struct fleet *f, size_t node, char name[FLEET_NAME_MAX])
{
    (void)snprintf(name, FLEET_NAME_MAX, "m%03zu", node / f->model_nodes);
}

static const struct wire_inventory INVENTORY = {
    .cpus = 64,
    .cpu_milli = 64000,
    .memory_bytes = UINT64_C(256) << 30,
    .machine_id = "0123456789abcdef0123456789abcdef",
    .product_uuid = "",
    .virtualization = "",
    .host_node = "",
    .architecture = "x86_64",
    .kernel = "6.1.0-18-amd64",
    .power_model = "",
    .address = "192.0.2.1",
    .version = "0.1.0",
    .allow_sleep = true,
    .allow_commands = true,
};

struct scene { /* what a report points to */
    char name[FLEET_NAME_MAX], model[FLEET_NAME_MAX];
    char uids[FLEET_REPLICAS_MOST][32];
    struct wire_zone zones[4];
    struct wire_replica replicas[FLEET_REPLICAS_MOST];
    double bounds[BUCKETS];
    uint64_t counts[BUCKETS];
};

static void fill_zones(struct scene *s, uint64_t sequence)
{
    static const char *const NAMES[] = { "package-0", "package-1", "dram-0", "dram-1" };
    static const char *const PATHS[] = { "intel-rapl:0", "intel-rapl:1", "intel-rapl:0:1",
                                         "intel-rapl:1:1" };

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        s->zones[i] = (struct wire_zone){ .name = NAMES[i],
                                          .path = PATHS[i],
                                          .kind = i < 2 ? ZONE_PACKAGE : ZONE_DRAM,
                                          .energy_uj = sequence * 250000,
                                          .provenance = PROVENANCE_MEASURED,
                                          .counted = true };
}

static void fill_replicas(struct scene *s, size_t n, size_t node, uint64_t sequence)
{
    for (size_t b = 0; b < BUCKETS; b++) {
        s->bounds[b] = (double)(1u << b);
        s->counts[b] = sequence * (b + 1);
    }
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(s->uids[i], sizeof(s->uids[i]), "bench-%05zu-%zu", node, i);
        s->replicas[i] = (struct wire_replica){
            .uid = s->uids[i],
            .model = s->model,
            .reason = "",
            .phase = REPLICA_READY,
            .pid = (int64_t)(1000 + i),
            .port = (uint32_t)(20000 + i),
            .cpu_ns = sequence * 100000000,
            .memory_bytes = UINT64_C(1) << 30,
            .requests = sequence * BUCKETS,
            .metrics_known = true,
            .latency = { s->bounds, s->counts, BUCKETS, sequence * BUCKETS,
                         (double)sequence * 100 },
            .energy_idle_uj = sequence * 100000,
            .energy_dynamic_uj = sequence * 50000,
            .load_ms = 3000,
            .generation = 1,
        };
    }
}

void fleet_report(struct fleet *f, size_t node, struct strbuf *out)
{
    static const char *features[] = { "two_key" };
    uint64_t sequence = ++f->sequence[node];
    struct scene s;
    struct wire_report r = { .node = s.name,
                             .boot_id = "11111111-2222-3333-4444-555555555555",
                             .cluster_id = "bench",
                             .epoch = 1 + node,
                             .sequence = sequence,
                             .sent_wall_ms = 1760000000000 + (int64_t)sequence * 5000,
                             .boot_ms = (int64_t)sequence * 5000,
                             .interval_ms = 5000,
                             .zones = s.zones,
                             .n_zones = ARRAY_LEN(s.zones),
                             .energy_measured_uj = sequence * 1000000,
                             .memory_used_bytes = UINT64_C(9) << 30,
                             .pressure = { .known = true, .cpu_us = sequence },
                             .replicas = s.replicas,
                             .n_replicas = f->n_replicas,
                             .inventory = sequence == 1 ? &INVENTORY : NULL,
                             .power = { .op = "", .reason = "" },
                             .features = features,
                             .n_features = 1 };
    struct err e;

    r.cpu.busy_ns = sequence * 60000000000;
    r.cpu.idle_ns = sequence * 260000000000;
    fleet_name(node, s.name);
    fleet_model(f, node, s.model);
    fill_zones(&s, sequence);
    fill_replicas(&s, f->n_replicas, node, sequence);
    if (wire_report_encode(&r, out, &e) < 0) {
        (void)fprintf(stderr, "bench: %s\n", e.text);
        exit(1);
    }
}
