/* Nearest words: see guess.h. */
#include "proto/base/guess.h"

#include <ctype.h>
#include <string.h>

#define LONGEST 31
#define NEVER 99

/* Levenshtein distance, ignoring case; words of at most LONGEST letters. */
static unsigned distance(const char *a, const char *b, size_t n)
{
    unsigned row[LONGEST + 1];
    size_t m = strlen(a);

    if (m > LONGEST || n > LONGEST)
        return NEVER;
    for (size_t j = 0; j <= n; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= m; i++) {
        unsigned corner = row[0];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n; j++) {
            unsigned same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            unsigned best = corner + !same;

            best = row[j] + 1 < best ? row[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

struct guess guess_begin(const char *given)
{
    return (struct guess){ given, NULL, 0, NEVER };
}

void guess_consider(struct guess *g, const char *word, size_t n)
{
    unsigned far = distance(g->given, word, n);

    if (far < g->far) {
        g->far = far;
        g->word = word;
        g->n = n;
    }
}

const char *guess_word(const struct guess *g, size_t *ret_n)
{
    if (!g->word || g->far > (strlen(g->given) + 3) / 3)
        return NULL;
    *ret_n = g->n;
    return g->word;
}
