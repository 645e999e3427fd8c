/* What every fuzz target includes. A target is one file X_fuzz.c with LLVMFuzzerTestOneInput(); its
 * opening comment may hold a line "Seeds: FOLDER..." that names folders of inputs to start from,
 * besides corpus/X/. */
#ifndef HUDDLE_FUZZ_H
#define HUDDLE_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input: without it the run ends as a find. */
#define MUST(condition)                                                                          \
    do {                                                                                         \
        if (!(condition)) {                                                                      \
            (void)fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                             \
        }                                                                                        \
    } while (0)

/* A NUL-terminated copy, as long as the input and no longer; to be freed. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    MUST(text);
    memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

#endif
