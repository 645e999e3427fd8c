/* Learning costs a sort of the models and one small relaxation; a price costs a look-up per device
 * and two normal integrals a node. */
#include "controller/placement/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controller/placement/cutting.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* Weights in devices, of one device's worth. They trade kinds of loss against each other: what is
 * lost for certain (a rest that nothing wants) counts more than what may be (CPU). */
#define W_REST 3.0     /* of a device's worth that is lost by cutting a share off it */
#define W_FRESH 0.1    /* for the first share of a device */
#define W_STRANDED 2.0 /* of devices that will lack CPU */
#define W_EMPTY 0.1    /* for an empty node */
#define W_LEFT 0.018   /* for an empty node, for each device of use on those in use */
#define W_FREE 0.005   /* for each free device of the node: the fuller one first */
#define W_SCARCE 0.2   /* for a device of a model that others are bound to */
#define SPREAD 0.5     /* of CPU between users of devices, before any is known */
#define LOOKS 12       /* the devices among which one is found for who wants more CPU */
#define LEARN_WORK 20000000u

/* --- learning -----------------------------------------------------------------------------------
 */

struct user {
    double devices, cpu_milli, n; /* of one; and how many */
};

static int least_cpu_first(const void *a, const void *b, void *unused)
{
    const struct user *x = a, *y = b;
    double of_x = x->cpu_milli * y->devices, of_y = y->cpu_milli * x->devices;

    (void)unused;
    return (of_x > of_y) - (of_x < of_y);
}

static size_t list_users(const struct snapshot *s, const uint32_t *replicas, struct user *users)
{
    size_t n = 0;

    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct served_model *spec = s->models[i].spec;

        if (spec->resources.gpu_milli > 0 && replicas[i] > 0)
            users[n++] = (struct user){ (double)spec->resources.gpu_milli / MIX_WHOLE,
                                        (double)spec->resources.cpu_milli, replicas[i] };
    }
    array_sort(users, n, sizeof(*users), least_cpu_first, NULL);
    return n;
}

/* Beside a device, of the users that want least and take `devices` together. */
static double mean_cpu(const struct user *users, size_t n, double devices)
{
    double cpu = 0, left = devices;

    for (size_t i = 0; i < n && left > 0; i++) {
        double taken = fmin(left, users[i].n * users[i].devices);

        cpu += taken / users[i].devices * users[i].cpu_milli;
        left -= taken;
    }
    return cpu / devices;
}

/* The chance that one of LOOKS devices at least is wanted. */
static double chosen_from(double wanted, double devices)
{
    double none = 1, spare = devices > 0 ? fmax(0, 1 - wanted / devices) : 0;

    for (int i = 0; i < LOOKS; i++)
        none *= spare;
    return 1 - none;
}

static void learn_cpu(struct mix *m, const struct snapshot *s, const uint32_t *replicas)
{
    AUTO(mem) struct user *users = xcalloc(s->n_models + 1, sizeof(*users));
    size_t n_users = list_users(s, replicas, users);
    double node_cpu = 0, node_devices = 0, wanted = 0, mean, squares = 0;

    for (uint32_t n = 0; n < s->n_nodes; n++)
        if (s->nodes[n].n_gpus > 0) {
            node_cpu += (double)s->nodes[n].cpu_milli;
            node_devices += s->nodes[n].n_gpus;
        }
    for (size_t i = 0; i < n_users; i++)
        wanted += users[i].n * users[i].devices;
    m->cpu_milli = node_devices > 0 ? node_cpu / node_devices : 0;
    m->cpu_sd_milli = SPREAD * m->cpu_milli;
    if (wanted <= 0)
        return;
    mean = mean_cpu(users, n_users, wanted);
    for (size_t i = 0; i < n_users; i++) {
        double more = users[i].cpu_milli - mean * users[i].devices;

        squares += users[i].n * more * more;
    }
    m->cpu_sd_milli = sqrt(squares / wanted);
    m->cpu_milli = mean_cpu(users, n_users, wanted * chosen_from(wanted, node_devices));
}

/* Dual prices of the fewest devices that hold all shares, and the knapsack at these prices. What is
 * wanted is a mixture, not a number: many times over, so that no device runs out of pieces. */
static void learn_shares(struct mix *m, const struct snapshot *s, const uint32_t *replicas)
{
    uint32_t count[MIX_WHOLE] = { 0 }, size[MIX_WHOLE], pieces[MIX_WHOLE], n = 0;
    struct cutting_relaxed relaxed;
    struct cutting c;

    for (uint32_t i = 0; i < s->n_models; i++) {
        int64_t milli = s->models[i].spec->resources.gpu_milli;

        if (milli > 0 && milli < MIX_WHOLE)
            count[milli] += replicas[i];
    }
    for (uint32_t w = 0; w <= MIX_WHOLE; w++)
        m->worth[w] = m->price[w] = (double)w / MIX_WHOLE;
    for (uint32_t w = 1; w < MIX_WHOLE; w++)
        if (count[w] > 0) {
            size[n] = w;
            pieces[n++] = count[w] < 1000000 ? count[w] * MIX_WHOLE : 1000000u * MIX_WHOLE;
        }
    if (n == 0)
        return;
    cutting_init(&c, size, n, MIX_WHOLE, pieces, LEARN_WORK);
    cutting_relax(&c, pieces, UINT32_MAX, &relaxed);
    for (uint32_t i = 0; i < n; i++)
        m->price[size[i]] = fmax(0, relaxed.prices[i]);
    for (uint32_t w = 1; w <= MIX_WHOLE; w++) {
        m->worth[w] = m->worth[w - 1];
        for (uint32_t i = 0; i < n && size[i] <= w; i++)
            m->worth[w] = fmax(m->worth[w], m->worth[w - size[i]] + m->price[size[i]]);
    }
    m->worth[MIX_WHOLE] = 1;
    cutting_relaxed_done(&relaxed);
    cutting_done(&c);
}

static struct mix_scarcity *scarcity_of(const struct mix *m, const char *device)
{
    ARRAY_FOREACH(k, m, scarcities)
        if (k->device == device || strcmp(k->device, device) == 0)
            return k;
    return NULL;
}

static bool allows(const struct served_model *spec, const char *device)
{
    for (size_t i = 0; i < spec->resources.gpu_models.n; i++)
        if (strcmp(spec->resources.gpu_models.item[i], device) == 0)
            return true;
    return false;
}

/* Devices from `g` on that are named by one text. */
static uint32_t alike_from(const struct snap_node *n, uint32_t g)
{
    uint32_t to = g + 1;

    while (to < n->n_gpus && n->gpus[to].model == n->gpus[g].model)
        to++;
    return to - g;
}

/* Returns their number. */
static double list_devices(struct mix *m, const struct snapshot *s)
{
    double all = 0;

    m->n_scarcities = 0;
    for (uint32_t n = 0; n < s->n_nodes; n++) {
        const struct snap_node *node = &s->nodes[n];

        for (uint32_t g = 0, alike; g < node->n_gpus; g += alike) {
            struct mix_scarcity *k = scarcity_of(m, node->gpus[g].model);

            if (!k) {
                k = ARRAY_ADD(m, scarcities);
                k->device = node->gpus[g].model;
            }
            alike = alike_from(node, g);
            k->devices += alike;
        }
        all += node->n_gpus;
    }
    return all;
}

/* Bound demand is split over the devices that it allows, by their number. */
static void learn_scarcity(struct mix *m, const struct snapshot *s, const uint32_t *replicas)
{
    double all_devices = list_devices(m, s), all_demand = 0;

    for (uint32_t i = 0; i < s->n_models; i++) {
        const struct served_model *spec = s->models[i].spec;
        double demand = replicas[i] * fmax(0, (double)spec->resources.gpu_milli), sum = 0;

        all_demand += demand;
        if (spec->resources.gpu_models.n == 0)
            continue;
        ARRAY_FOREACH(k, m, scarcities)
            sum += allows(spec, k->device) ? k->devices : 0;
        ARRAY_FOREACH(k, m, scarcities)
            if (sum > 0 && allows(spec, k->device))
                k->demand += demand * k->devices / sum;
    }
    ARRAY_FOREACH(k, m, scarcities)
        if (all_demand > 0)
            k->demand *= all_devices / k->devices / all_demand;
}

void mix_learn(struct mix *m, const struct snapshot *s, const uint32_t *replicas)
{
    learn_cpu(m, s, replicas);
    learn_shares(m, s, replicas);
    learn_scarcity(m, s, replicas);
    for (uint32_t w = 0; w <= MIX_WHOLE; w++)
        m->least_lost[w] = NAN;
}

void mix_done(struct mix *m)
{
    free(m->scarcities);
    m->scarcities = NULL;
    m->n_scarcities = m->cap_scarcities = 0;
}

/* --- prices -------------------------------------------------------------------------------------
 */

/* Devices that will lack CPU: the mean of max(0, wanted - left), wanted normal. */
static double stranded(const struct mix *m, double devices, double cpu_milli)
{
    double mean = m->cpu_milli * devices - cpu_milli;
    double sd = m->cpu_sd_milli * sqrt(devices), z;

    if (m->cpu_milli <= 0)
        return 0;
    if (sd <= 0)
        return fmax(0, mean) / m->cpu_milli;
    z = mean / sd;
    if (z < -8)
        return 0;
    if (z > 8)
        return mean / m->cpu_milli;
    return (mean * 0.5 * erfc(-z * M_SQRT1_2) + sd * 0.3989422804014327 * exp(-0.5 * z * z)) /
           m->cpu_milli;
}

static double worth_of(const struct mix *m, const struct room_gpu *g)
{
    return g->milli <= 0 ? 0 : m->worth[g->milli < MIX_WHOLE ? g->milli : MIX_WHOLE];
}

double mix_left(const struct mix *m, const struct room *r, const struct snap_node *n)
{
    double worth = 0;

    for (uint32_t g = 0; g < n->n_gpus; g++)
        worth += worth_of(m, &r->gpus[g]);
    return fmax(0, worth - stranded(m, worth, (double)r->cpu_milli));
}

/* The device on which a share costs least. */
static bool pick_share(const struct mix *m, const struct room *r, const struct snap_node *n,
                       const struct served_model *spec, double *ret_cost, double *ret_lost,
                       uint64_t *ret_mask)
{
    int64_t share = spec->resources.gpu_milli;
    double best = INFINITY;

    for (uint32_t g = 0; g < n->n_gpus && g < SNAP_GPUS; g++) {
        double lost, cost;

        if (!room_device_fits(r, n, spec, g))
            continue;
        lost = worth_of(m, &r->gpus[g]) - m->worth[r->gpus[g].milli - share];
        cost = W_REST * (lost - m->price[share]) + (r->gpus[g].milli == MIX_WHOLE ? W_FRESH : 0);
        if (cost < best) {
            best = cost;
            *ret_lost = lost;
            *ret_mask = (uint64_t)1 << g;
        }
    }
    *ret_cost = best;
    return best < INFINITY;
}

double mix_lost(const struct mix *m, const struct room *r, const struct snap_node *n,
                const struct served_model *spec, uint64_t mask)
{
    int64_t milli = spec->resources.gpu_milli > 0 ? spec->resources.gpu_milli : 0;
    double worth = 0, after = 0;

    for (uint32_t g = 0; g < n->n_gpus && g < SNAP_GPUS; g++) {
        struct room_gpu left = r->gpus[g];

        worth += worth_of(m, &left);
        if (mask >> g & 1)
            left.milli -= milli < MIX_WHOLE ? milli : MIX_WHOLE;
        after += worth_of(m, &left);
    }
    return worth - after + stranded(m, after, (double)(r->cpu_milli - spec->resources.cpu_milli)) -
           stranded(m, worth, (double)r->cpu_milli);
}

static double scarcity(const struct mix *m, const struct snap_node *n, uint64_t mask)
{
    const struct mix_scarcity *k =
        mask ? scarcity_of(m, n->gpus[__builtin_ctzll(mask)].model) : NULL;

    return k ? k->demand : 0;
}

/* Of all devices: what their rests are worth, and how much of them is free. */
static double sum_devices(const struct mix *m, const struct room *r, const struct snap_node *n,
                          double *ret_free)
{
    double worth = 0;

    *ret_free = 0;
    for (uint32_t g = 0; g < n->n_gpus; g++) {
        worth += worth_of(m, &r->gpus[g]);
        *ret_free += (double)(r->gpus[g].milli > 0 ? r->gpus[g].milli : 0) / MIX_WHOLE;
    }
    return worth;
}

bool mix_cost(const struct mix *m, const struct room *r, const struct snap_node *n,
              const struct served_model *spec, bool empty, double *ret_cost, uint64_t *ret_mask)
{
    int64_t milli = spec->resources.gpu_milli > 0 ? spec->resources.gpu_milli : 0;
    double cost = 0, lost = 0, worth, free_devices;
    uint64_t mask = 0;

    if (spec->resources.cpu_milli > r->cpu_milli || spec->resources.memory_bytes > r->memory_bytes)
        return false;
    if (milli > 0 && milli < MIX_WHOLE ? !pick_share(m, r, n, spec, &cost, &lost, &mask)
                                       : !room_fits(r, n, spec, &mask))
        return false;
    if (milli >= MIX_WHOLE)
        lost = __builtin_popcountll(mask);
    worth = sum_devices(m, r, n, &free_devices);
    cost += W_STRANDED * (stranded(m, fmax(0, worth - lost),
                                   (double)(r->cpu_milli - spec->resources.cpu_milli)) -
                          stranded(m, worth, (double)r->cpu_milli));
    cost += W_FREE * free_devices + (empty ? W_EMPTY + W_LEFT * m->left : 0);
    cost += W_SCARCE * scarcity(m, n, mask) * (double)milli / MIX_WHOLE;
    *ret_cost = cost;
    *ret_mask = mask;
    return true;
}

double mix_cost_of_node(const struct mix *m, const struct room *r, const struct snap_node *n)
{
    double free_devices, worth = sum_devices(m, r, n, &free_devices);

    return W_FREE * free_devices - W_STRANDED * stranded(m, worth, (double)r->cpu_milli);
}

static double least_lost(struct mix *m, int64_t share)
{
    double *least = &m->least_lost[share];

    if (isnan(*least)) {
        *least = INFINITY;
        for (int64_t w = share; w <= MIX_WHOLE; w++)
            *least = fmin(*least, m->worth[w] - m->worth[w - share]);
    }
    return *least;
}

double mix_cost_of_replica(struct mix *m, const struct served_model *spec, const char *device,
                           bool empty, bool untouched)
{
    int64_t milli = spec->resources.gpu_milli;
    const struct mix_scarcity *k = device && milli > 0 ? scarcity_of(m, device) : NULL;
    double cost = empty ? W_EMPTY + W_LEFT * m->left : 0;

    if (k)
        cost += W_SCARCE * k->demand * (double)milli / MIX_WHOLE;
    if (milli <= 0 || milli >= MIX_WHOLE)
        return cost;
    if (untouched)
        return cost + W_FRESH +
               W_REST * (m->worth[MIX_WHOLE] - m->worth[MIX_WHOLE - milli] - m->price[milli]);
    return cost + W_REST * (least_lost(m, milli) - m->price[milli]);
}
