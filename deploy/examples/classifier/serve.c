/* classifier-serve: serves a trained network over HTTP.
 *
 *     classifier-serve --weights FILE --port PORT [--passes N] [--warm-up N]
 *
 * Ready (GET /healthz answers 200) after the weights are loaded and verified and --warm-up
 * predictions have been computed. SIGTERM and SIGINT: accepts nothing more, answers what is in
 * flight, exits 0. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "deploy/examples/classifier/service.h"
#include "proto/base/clock.h"

enum { DRAIN_MS = 30000, PASSES_MAX = 1000000, WARM_UP_MAX = 1000000 };

struct arguments {
    const char *weights;
    long port, passes, warm_up;
};

static void usage(FILE *to)
{
    (void)fputs("usage: classifier-serve --weights FILE --port PORT [--passes N] [--warm-up N]\n",
                to);
}

static int number(const char *text, long least, long most, long *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtol(text, &end, 10);
    if (end != text && !*end && errno == 0 && *ret_number >= least && *ret_number <= most)
        return 0;
    (void)fprintf(stderr, "classifier-serve: %s: expected a number from %ld to %ld\n", text, least,
                  most);
    return -EINVAL;
}

static int arguments_read(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        { "weights", required_argument, NULL, 'f' }, { "port", required_argument, NULL, 'p' },
        { "passes", required_argument, NULL, 'n' },  { "warm-up", required_argument, NULL, 'w' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    int c, r = 0;

    while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'f')
            a->weights = optarg;
        else if (c == 'p')
            r = number(optarg, 1, 65535, &a->port);
        else if (c == 'n')
            r = number(optarg, 1, PASSES_MAX, &a->passes);
        else if (c == 'w')
            r = number(optarg, 0, WARM_UP_MAX, &a->warm_up);
        else if (c == 'h')
            return 1;
        else
            r = -EINVAL;
    }
    return r == 0 && (!a->weights || !a->port || optind < argc) ? -EINVAL : r;
}

/* Touches every weight and the code, as the first requests would. */
static double warm_up(struct network *n, long predictions)
{
    float x[NETWORK_INPUTS];
    double sum = 0;

    network_check_input(x);
    for (long i = 0; i < predictions; i++) {
        x[i % NETWORK_INPUTS] += 0.5f;
        sum += network_predict(n, x);
    }
    return sum;
}

static int serve(const struct arguments *a, const sigset_t *ending, struct err *e)
{
    AUTO(network) struct network *n = NULL;
    AUTO(service) struct service *s = NULL;
    int64_t start_ms = clock_boot_ms();
    unsigned cut;
    int signal, r;

    r = service_start((uint16_t)a->port, &s, e);
    if (r < 0)
        return r;
    r = network_load(a->weights, &n, e);
    if (r < 0)
        return r;
    network_smooth(n, (uint32_t)a->passes);
    if (a->warm_up > 0)
        printf("warm-up: mean probability %.6f\n", warm_up(n, a->warm_up) / (double)a->warm_up);
    service_ready(s, n);
    printf("ready: %u hidden units, %u passes, port %ld, %lld ms after start\n", n->hidden,
           n->passes, a->port, (long long)(clock_boot_ms() - start_ms));
    (void)fflush(stdout);
    (void)sigwait(ending, &signal);
    cut = service_drain(s, DRAIN_MS);
    printf("stopped: %u requests cut\n", cut);
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments a = { .passes = 1, .warm_up = 10 };
    struct err e = ERR_INIT;
    sigset_t ending;
    int r = arguments_read(argc, argv, &a);

    if (r != 0) {
        usage(r < 0 ? stderr : stdout);
        return r < 0 ? 2 : 0;
    }
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ending, NULL);
    r = serve(&a, &ending, &e);
    if (r < 0)
        (void)fprintf(stderr, "classifier-serve: %s\n", e.text);
    return r < 0 ? 1 : 0;
}
