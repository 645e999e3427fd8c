/* classifier-train: trains the example network and writes its weights.
 *
 *     classifier-train --out FILE [--width 128] [--examples 20000] [--epochs 4] [--seed 1]
 *
 * Prints the accuracy on held-out examples, beside the best that the task's noise allows. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "deploy/examples/classifier/trainer.h"

enum { HELD_OUT = 5000, EXAMPLES_MAX = 10000000, EPOCHS_MAX = 1000 };

struct arguments {
    const char *out;
    uint64_t width;
    uint64_t epochs;
    struct trainer_options training;
};

static void usage(FILE *to)
{
    (void)fputs("usage: classifier-train --out FILE [--width N] [--examples N] [--epochs N]"
                " [--seed N]\n",
                to);
}

static int number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    char *end;
    unsigned long long v;

    errno = 0;
    v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || v < least || v > most) {
        (void)fprintf(stderr, "classifier-train: %s: expected a number from %llu to %llu\n", text,
                      (unsigned long long)least, (unsigned long long)most);
        return -EINVAL;
    }
    *ret_number = v;
    return 0;
}

static int arguments_read(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        { "out", required_argument, NULL, 'o' },
        { "width", required_argument, NULL, 'w' },
        { "examples", required_argument, NULL, 'n' },
        { "epochs", required_argument, NULL, 'e' },
        { "seed", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int c, r = 0;

    while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'o')
            a->out = optarg;
        else if (c == 'w')
            r = number(optarg, 1, NETWORK_HIDDEN_MAX, &a->width);
        else if (c == 'n')
            r = number(optarg, 1, EXAMPLES_MAX, &a->training.examples);
        else if (c == 'e')
            r = number(optarg, 1, EPOCHS_MAX, &a->epochs);
        else if (c == 's')
            r = number(optarg, 0, UINT64_MAX, &a->training.seed);
        else if (c == 'h')
            return 1;
        else
            r = -EINVAL;
    }
    return r == 0 && (!a->out || optind < argc) ? -EINVAL : r;
}

int main(int argc, char **argv)
{
    struct arguments a = {
        .width = 128,
        .epochs = 4,
        .training = { .seed = 1, .examples = 20000, .batch = 32, .rate = 2e-3f, .decay = 0.02f },
    };
    AUTO(task) struct task *task = NULL;
    AUTO(network) struct network *n = NULL;
    struct trainer_score score;
    struct err e = ERR_INIT;
    int r = arguments_read(argc, argv, &a);

    if (r != 0) {
        usage(r < 0 ? stderr : stdout);
        return r < 0 ? 2 : 0;
    }
    a.training.epochs = (uint32_t)a.epochs;
    task = task_new(a.training.seed);
    r = network_new((uint32_t)a.width, &n, &e);
    if (r == 0) {
        trainer_run(n, task, &a.training);
        score = trainer_score(n, task, a.training.examples, HELD_OUT);
        r = network_save(n, a.out, &e);
    }
    if (r < 0) {
        (void)fprintf(stderr, "classifier-train: %s\n", e.text);
        return 1;
    }
    printf("%s: 100 -> %u ReLU -> 1 sigmoid, held-out accuracy %.3f (the noise allows %.3f),"
           " loss %.3f\n",
           a.out, n->hidden, score.accuracy, score.best_accuracy, score.loss);
    return 0;
}
