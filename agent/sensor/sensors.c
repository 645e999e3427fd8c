/* All sensors of a node behind one entry: see sensors.h. */
#include "agent/sensor/sensors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/sensor/gpu.h"
#include "agent/sensor/host.h"
#include "agent/sensor/pod_cgroups.h"
#include "agent/sensor/power_model.h"
#include "agent/sensor/rapl.h"
#include "agent/sensor/replica_meter.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

struct sensors {
    struct rapl *rapl;
    struct gpus *gpus;
    struct host *host;
    struct replica_meters *replicas;
    struct pod_cgroups *pods; /* NULL: nobody asks */
    bool model_always;        /* named by the configuration */
    struct power_model model; /* model.curve NULL: never */
    bool model_chosen, model_used;
};

static int choose_model(struct sensors *s, const char *name, struct err *e)
{
    struct utsname uts;

    if (!name || strcmp(name, "auto") == 0) {
        if (uname(&uts) < 0)
            return err_errno(e, -errno, "uname");
        s->model.curve = power_curve_auto(uts.machine);
        return 0;
    }
    if (strcmp(name, "none") == 0)
        return 0;
    s->model_always = true;
    s->model.curve = power_curve_find(name);
    if (!s->model.curve)
        return err_set(e, -EINVAL, "power model \"%s\" is unknown; expected auto, none, %s", name,
                       power_curve_names());
    return 0;
}

int sensors_new(const struct sensors_options *options, struct sensors **ret_sensors, struct err *e)
{
    AUTO(sensors) struct sensors *s = xcalloc(1, sizeof(*s));
    const char *proc_root = options->proc_root ? options->proc_root : "/proc";
    int r;

    r = choose_model(s, options->power_model, e);
    if (r < 0)
        return r;
    s->rapl = rapl_new();
    s->gpus = gpus_new(options->nvml_library);
    s->host = host_new(proc_root, options->each_cpu);
    s->replicas = replica_meters_new(proc_root);
    if (options->pods_root)
        s->pods = pod_cgroups_new(options->pods_root, options->pods_parent);
    *ret_sensors = TAKE(s);
    return 0;
}

void sensors_free(struct sensors *s)
{
    if (!s)
        return;
    rapl_free(s->rapl);
    gpus_free(s->gpus);
    host_free(s->host);
    replica_meters_free(s->replicas);
    pod_cgroups_free(s->pods);
    free(s);
}

const char *sensors_power_model(const struct sensors *s)
{
    return s->model_used ? s->model.curve->name : "";
}

static bool has_counter(const struct sample *s)
{
    for (size_t i = 0; i < s->n_zones; i++) {
        if (s->zones[i].counted && s->zones[i].kind != ZONE_GPU)
            return true;
    }
    return false;
}

/* A model named by the configuration replaces the counters in the total; the automatic one stands
 * in only where there is none. Chosen once: a total does not change its meaning in mid-run. */
static void read_model(struct sensors *s, struct sample *out)
{
    char what[200];

    if (!s->model.curve)
        return;
    if (!s->model_chosen)
        s->model_used = s->model_always || !has_counter(out);
    s->model_chosen = true;
    if (!s->model_used)
        return;
    for (size_t i = 0; i < out->n_zones; i++)
        out->zones[i].counted &= out->zones[i].kind == ZONE_GPU;
    power_model_read(&s->model, out);
    (void)snprintf(what, sizeof(what), "energy is estimated from CPU use by the curve \"%s\" (%s)",
                   s->model.curve->name, s->model.curve->source);
    sample_problem(out, what,
                   s->model_always
                       ? "set powerModel: auto to use counters where there are any"
                       : "name this machine's curve in powerModel, or run on bare metal "
                         "with readable RAPL");
}

void sensors_read(struct sensors *s, const struct sensor_group *groups, size_t n_groups,
                  struct sample *out)
{
    sample_clear(out);
    out->boot_ms = clock_boot_ms();
    out->wall_ms = clock_wall_ms();
    rapl_read(s->rapl, out);
    gpus_read(s->gpus, out);
    host_read(s->host, out);
    read_model(s, out);
    replica_meters_read(s->replicas, groups, n_groups, out);
    if (s->pods)
        pod_cgroups_read(s->pods, out);
}
