/* See clairvoyant.h. */
#include "controller/simulate/clairvoyant.h"

#include <stdlib.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

double clairvoyant_break_even_s(const struct rack_hardware *hw)
{
    double boot_s = (hw->boot_lo_s + hw->boot_hi_s) / 2;
    double shutdown_s = (hw->shutdown_lo_s + hw->shutdown_hi_s) / 2;

    return (boot_s * hw->boot_w + shutdown_s * hw->watts[0] -
            (boot_s + shutdown_s) * hw->asleep_w) /
           (hw->watts[0] - hw->asleep_w);
}

double clairvoyant_load_p99_s(const struct rack_hardware *hw)
{
    size_t at = (size_t)(0.99 * (double)(hw->n_load_s - 1));

    return hw->load_s[at] * hw->load_scale;
}

/* --- replicas -----------------------------------------------------------------------------------
 */

/* Does the queue stay short through the minute? *backlog becomes that at its end. */
static bool suffices(const struct rack_load *load, uint32_t m, size_t minute, double can,
                     double *backlog)
{
    size_t steps = executor_steps(load);
    double waiting = *backlog, late = can * RACK_LATE_S / load->step_s;

    for (size_t t = minute * steps; t < (minute + 1) * steps; t++) {
        waiting = fmax(0, waiting + load->step_s * load->rate[m * load->n_steps + t] - can);
        if (waiting > 2 * late)
            return false;
    }
    *backlog = waiting;
    return waiting <= late;
}

static void least_replicas(const struct rack_load *load, uint32_t m, double fill, uint32_t *raw,
                           size_t n)
{
    double backlog = 0;

    for (size_t k = 0; k < n; k++) {
        double then = backlog;
        uint32_t x = load->model[m].least;

        while (!suffices(load, m, k, load->step_s * load->model[m].capacity * x * fill, &then)) {
            then = backlog;
            x++;
        }
        raw[k] = x;
        backlog = then;
    }
}

/* out[k] = most of in[k .. k + width], or of in[k - width .. k]. */
static void most_ahead(const uint32_t *in, uint32_t *out, size_t n, size_t width)
{
    for (size_t k = 0; k < n; k++) {
        out[k] = in[k];
        for (size_t j = k; j <= k + width && j < n; j++)
            out[k] = in[j] > out[k] ? in[j] : out[k];
    }
}

static void least_ahead(const uint32_t *in, uint32_t *out, size_t n, size_t width)
{
    for (size_t k = 0; k < n; k++) {
        out[k] = in[k];
        for (size_t j = k; j <= k + width && j < n; j++)
            out[k] = in[j] < out[k] ? in[j] : out[k];
    }
}

static void most_behind(const uint32_t *in, uint32_t *out, size_t n, size_t width)
{
    for (size_t k = 0; k < n; k++) {
        out[k] = in[k];
        for (size_t j = k > width ? k - width : 0; j < k; j++)
            out[k] = in[j] > out[k] ? in[j] : out[k];
    }
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static void least_nodes(const struct clairvoyant *p, const struct rack_hardware *hw,
                        const struct rack_load *load, uint32_t *a)
{
    for (size_t k = 0; k < p->n_minutes; k++) {
        double sum = rack_spare_slots(hw), need;

        for (uint32_t m = 0; m < load->n_models; m++)
            sum += p->minute[k].replicas[m] * load->model[m].slots;
        need = fmin(fmax(ceil(sum / hw->slots), hw->nodes_least), hw->nodes);
        a[k] = (uint32_t)need;
    }
}

void clairvoyant_init(struct clairvoyant *p, const struct rack_hardware *hw,
                      const struct rack_load *load, double fill)
{
    size_t steps = executor_steps(load), n = load->n_steps / steps;
    double minute_s = (double)steps * load->step_s;
    size_t gap = (size_t)(clairvoyant_break_even_s(hw) / minute_s);
    size_t boot = (size_t)ceil(hw->boot_hi_s / minute_s) + 1;
    AUTO(mem) uint32_t *raw = xcalloc(n + 1, sizeof(*raw)), *out = xcalloc(n + 1, sizeof(*out));

    *p = (struct clairvoyant){ .minute = xcalloc(n + 1, sizeof(*p->minute)), .n_minutes = n };
    for (uint32_t m = 0; m < load->n_models; m++) {
        double load_s = clairvoyant_load_p99_s(hw) * load->model[m].load_weight;

        least_replicas(load, m, fill, raw, n);
        most_ahead(raw, out, n, (size_t)ceil(load_s / minute_s) + 1);
        for (size_t k = 0; k < n; k++)
            p->minute[k].replicas[m] = out[k];
    }
    least_nodes(p, hw, load, raw);
    most_behind(raw, out, n, gap);
    least_ahead(out, raw, n, gap);
    most_ahead(raw, out, n, boot);
    for (size_t k = 0; k < n; k++)
        p->minute[k].nodes = out[k];
}

void clairvoyant_done(struct clairvoyant *p)
{
    free(p->minute);
}

void clairvoyant_act(void *policy, struct rack *r)
{
    const struct clairvoyant *p = policy;
    size_t steps = executor_steps(r->load), minute = (size_t)r->step / steps;

    if ((size_t)r->step % steps == 0 && minute < p->n_minutes)
        executor_act(r, &p->minute[minute]);
}

/* --- the bound ----------------------------------------------------------------------------------
 */

/* Least watts that serve `busy` nodes' worth, and of how many nodes awake. */
static double bound_w(const struct rack_hardware *hw, double busy, double *ret_nodes)
{
    double best = INFINITY, empty_w = hw->free_slot_w * hw->slots;

    *ret_nodes = hw->nodes;
    for (uint32_t k = (uint32_t)fmax(1, ceil(busy)); k <= hw->nodes; k++) {
        double extra = hw->unspared ? 0 : fmax(0, ceil(1 - (k - busy)));
        double w = k * rack_watts(hw, busy / k) - empty_w * (k - busy) +
                   extra * (hw->watts[0] - empty_w) +
                   ((double)hw->nodes - k - extra) * hw->asleep_w;

        if (!(w < best))
            continue;
        best = w;
        *ret_nodes = fmin(k + extra, hw->nodes);
    }
    return best;
}

double bound_joules_shown(const struct rack_hardware *hw, const struct rack_load *load,
                          struct bound_shown *ret)
{
    size_t steps = executor_steps(load), minutes = load->n_steps / steps;
    AUTO(mem) size_t *in_part = xcalloc(ret->n_parts + 1, sizeof(*in_part));
    double sum = 0;

    for (size_t k = 0; k < minutes; k++) {
        size_t t = k * steps, part = k * ret->n_parts / minutes;
        double busy = 0, nodes, watts;

        for (uint32_t m = 0; m < load->n_models; m++)
            busy += load->model[m].slots * rack_mean(load, m, (int64_t)t, (int64_t)(t + steps)) /
                    (hw->slots * load->model[m].capacity);
        watts = bound_w(hw, busy, &nodes);
        sum += watts * (double)steps * load->step_s;
        for (size_t i = t; ret->joules && i < t + steps; i++)
            ret->joules[i] = watts * load->step_s;
        if (ret->n_parts > 0) /* a running mean */
            ret->nodes[part] += (nodes - ret->nodes[part]) / (double)++in_part[part];
    }
    for (size_t part = 1; part < ret->n_parts; part++) /* shorter than a minute */
        if (in_part[part] == 0)
            ret->nodes[part] = ret->nodes[part - 1];
    return sum;
}

double bound_joules(const struct rack_hardware *hw, const struct rack_load *load)
{
    return bound_joules_shown(hw, load, &(struct bound_shown){ 0 });
}
