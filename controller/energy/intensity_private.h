/* The inside of an intensity, shared by its look-ups and the reader of its CSV form. */
#ifndef HUDDLE_INTENSITY_PRIVATE_H
#define HUDDLE_INTENSITY_PRIVATE_H

#include "controller/energy/intensity.h"

struct intensity_step {
    int64_t from_ms, to_ms; /* wall time; ascending, without overlap */
    double value;
};

struct intensity {
    int references;
    enum rate_source source;
    double hours[INTENSITY_HOURS]; /* of a profile; [0]: the fixed value */
    struct zone *zone;
    struct intensity_step *steps; /* of a series; what is unknown stands nowhere */
    size_t n_steps, cap_steps;
};

/* A series without any step. */
struct intensity *intensity_series(void);

#endif
