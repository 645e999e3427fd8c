/* "Did you mean": the nearest of several words to one that a person misspelt. Pure.
 *
 *     struct guess g = guess_begin("drian");
 *     guess_consider(&g, "drain", 5);
 *     word = guess_word(&g, &n);             // "drain", 5; NULL when nothing is near enough */
#ifndef HUDDLE_BASE_GUESS_H
#define HUDDLE_BASE_GUESS_H

#include <stddef.h>

struct guess {
    const char *given;
    const char *word; /* nearest so far, borrowed */
    size_t n;         /* its length */
    unsigned far;     /* Levenshtein distance, case ignored */
};

struct guess guess_begin(const char *given);
void guess_consider(struct guess *g, const char *word, size_t n);
const char *guess_word(const struct guess *g, size_t *ret_n);

#endif
