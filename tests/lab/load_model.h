/* One model as the load generator knows it: where it is asked, what it is asked, and the right
 * answers, computed from the same weights before the start. */
#ifndef LAB_LOAD_MODEL_H
#define LAB_LOAD_MODEL_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lab/load_table.h"

#define MODEL_QUESTIONS 32

struct question {
    char *request;
    size_t n_request;
    char *answer;
    size_t n_answer;
};

struct model {
    const char *name, *path, *host, *weights;
    struct sockaddr_in address;
    long passes;
    struct question questions[MODEL_QUESTIONS];
    struct arrivals arrivals;
    uint64_t asked, sent_this_second;
};

/* Takes one command-line option: 'a'ddress, 'p'ath, 'h'ost, 'w'eights or 'n'umber of passes, whose
 * text is borrowed. -EINVAL: not an option of a model, or not a value of it. */
int model_option(struct model *m, int option, const char *value);

/* Makes questions, answers and arrivals of model number `index` from `table` and `seed`. */
int model_prepare(struct model *m, size_t index, const struct load_table *table, unsigned seed,
                  struct err *e);
void model_done(struct model *m);

#endif
