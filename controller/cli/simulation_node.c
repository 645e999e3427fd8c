/* See simulation_node.h. */
#include "controller/cli/simulation_node.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/demand_files.h"
#include "controller/simulate/recording.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/quantity.h"

#define GPUS_MOST 64
#define LEVELS ((uint32_t)RACK_CURVE)
#define POINTS_MOST 16
#define FAILURES_USUAL 0.005
#define SHUTDOWN_USUAL_S 60.0 /* as an ordinary server takes */
#define NOISE_USUAL 0.01

/* --- size ---------------------------------------------------------------------------------------
 */

static int read_part(const char *key, size_t n_key, const char *value, struct simulation_node *n,
                     struct err *e)
{
    char *end;
    long gpus;

    if (n_key == 3 && strncmp(key, "cpu", 3) == 0)
        return quantity_cpu(value, &n->cpu_milli, e);
    if (n_key == 6 && strncmp(key, "memory", 6) == 0)
        return quantity_bytes(value, &n->memory_bytes, e);
    if (n_key != 4 || strncmp(key, "gpus", 4) != 0)
        return err_set(e, -EINVAL, "\"%.*s\" is none of cpu, memory, gpus", (int)n_key, key);
    gpus = strtol(value, &end, 10);
    if (*end || end == value || gpus < 0 || gpus > GPUS_MOST)
        return err_set(e, -EINVAL, "gpus: \"%.20s\" is no number from 0 to %d", value, GPUS_MOST);
    n->gpus = (uint32_t)gpus;
    return 0;
}

int simulation_read_size(const char *text, struct simulation_node *n, struct err *e)
{
    char value[64];

    for (;;) {
        size_t n_key = strcspn(text, "=,"), n_value;

        if (text[n_key] != '=')
            return err_set(e, -EINVAL, "\"%.40s\" is no cpu=16,memory=64Gi,gpus=8", text);
        n_value = strcspn(text + n_key + 1, ",");
        if (n_value >= sizeof(value))
            return err_set(e, -EINVAL, "\"%.40s\" is too long", text);
        memcpy(value, text + n_key + 1, n_value);
        value[n_value] = '\0';
        if (read_part(text, n_key, value, n, e) < 0)
            return -EINVAL;
        text += n_key + 1 + n_value;
        if (*text == '\0')
            return 0;
        text++;
    }
}

/* --- watts --------------------------------------------------------------------------------------
 */

static int read_numbers(const char *text, struct simulation_node *n, struct err *e)
{
    double w[LEVELS];
    uint32_t held = 0;
    char *end;

    for (;; text = end + 1) {
        if (held == LEVELS)
            return err_set(e, -EINVAL, "more than %u values", LEVELS);
        w[held] = strtod(text, &end);
        if (end == text || (*end != ',' && *end != '\0') || !(w[held] >= 0) || isinf(w[held]) ||
            (held > 0 && w[held] < w[held - 1]))
            return err_set(e, -EINVAL, "\"%.40s\": watts are ascending numbers by commas", text);
        held++;
        if (*end == '\0')
            break;
    }
    if (held != 2 && held != LEVELS)
        return err_set(e, -EINVAL, "%u values; expected 2 (idle, full) or %u (0, 10, ... 100 %%)",
                       held, LEVELS);
    for (uint32_t i = 0; i < LEVELS; i++)
        n->watts[i] = held == 2 ? w[0] + (w[1] - w[0]) * i / (LEVELS - 1) : w[i];
    return 0;
}

static int read_recording(const char *path, struct simulation_node *n, struct err *e)
{
    AUTO(mem) char *text = NULL;
    struct recording rec;
    struct csv c;
    int r = demand_file_text(path, &text, e);

    if (r < 0)
        return r;
    c = csv_begin(path, text);
    if (!csv_line(&c))
        return err_set(e, -EINVAL, "%s: nothing in it", path);
    r = recording_read(&c, &rec, e);
    if (r < 0)
        return r;
    r = recording_curve(&rec, n->watts, e);
    recording_done(&rec);
    return r < 0 ? err_prefix(e, r, "%s", path) : 0;
}

int simulation_read_watts(const char *text, struct simulation_node *n, struct err *e)
{
    bool numbers = isdigit((unsigned char)*text) && !text[strspn(text, "0123456789.,+-eE")];
    int r = numbers || !strpbrk(text, "/.") ? read_numbers(text, n, e) : read_recording(text, n, e);

    if (r == 0)
        n->has_watts = true;
    return r;
}

/* --- chance -------------------------------------------------------------------------------------
 */

struct simulation_chance simulation_chance_usual(void)
{
    return (struct simulation_chance){ .boot_lo_s = NAN,
                                       .boot_hi_s = NAN,
                                       .shutdown_lo_s = SHUTDOWN_USUAL_S,
                                       .shutdown_hi_s = SHUTDOWN_USUAL_S,
                                       .boot_failures = FAILURES_USUAL,
                                       .meter_noise = NOISE_USUAL };
}

/* Durations, ascending, with ".." between. */
static int read_points(const char *text, double *ret_s, size_t most, size_t *ret_n, struct err *e)
{
    for (*ret_n = 0;; text += 2) {
        const char *dots = strstr(text, "..");
        size_t n = dots ? (size_t)(dots - text) : strlen(text);
        char part[32];
        int64_t ms;

        if (*ret_n == most)
            return err_set(e, -EINVAL, "more than %zu times", most);
        if (n >= sizeof(part))
            return err_set(e, -EINVAL, "\"%.40s\" is no time like 90s, and no 90s..3m", text);
        memcpy(part, text, n);
        part[n] = '\0';
        if (quantity_duration(part, &ms, e) < 0)
            return -EINVAL;
        ret_s[(*ret_n)++] = (double)ms / 1000;
        if (*ret_n > 1 && ret_s[*ret_n - 1] < ret_s[*ret_n - 2])
            return err_set(e, -EINVAL, "times must ascend, like 90s..3m");
        if (!dots)
            return 0;
        text = dots;
    }
}

static int read_between(const char *text, double *ret_lo_s, double *ret_hi_s, struct err *e)
{
    double s[2];
    size_t n;

    if (read_points(text, s, 2, &n, e) < 0)
        return -EINVAL;
    if (!(s[0] > 0))
        return err_set(e, -EINVAL, "it takes time; expected more than 0s");
    *ret_lo_s = s[0];
    *ret_hi_s = s[n - 1];
    return 0;
}

int simulation_read_boot(const char *text, struct simulation_chance *c, struct err *e)
{
    return read_between(text, &c->boot_lo_s, &c->boot_hi_s, e);
}

int simulation_read_shutdown(const char *text, struct simulation_chance *c, struct err *e)
{
    return read_between(text, &c->shutdown_lo_s, &c->shutdown_hi_s, e);
}

int simulation_read_load(const char *text, struct simulation_chance *c, struct err *e)
{
    double s[POINTS_MOST] = { 0 };
    size_t n = 1;

    if (read_points(text, s, POINTS_MOST, &n, e) < 0)
        return -EINVAL;
    for (size_t i = 0; i < SIMULATION_SAMPLES; i++) {
        double at = (double)(n - 1) * (double)i / (SIMULATION_SAMPLES - 1);
        size_t low = (size_t)at;

        low = low < POINTS_MOST - 1 ? low : POINTS_MOST - 2;
        c->load_s[i] = low + 1 < n ? s[low] + (s[low + 1] - s[low]) * (at - (double)low) : s[n - 1];
    }
    c->has_load = true;
    return 0;
}
