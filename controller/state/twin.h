/* Two agents that report under one name: a cloned disk, or a host name that was given twice. Each
 * would be taken for a new life of the other, and both would be told to run the same replicas.
 *
 * (SAFETY section 1 would quarantine both. That takes the node's capacity away, and copies would be
 * started for what is only a wrong name: so its replicas serve on, and nothing else is done there.)
 *
 * A report of a life that is over may be a straggler, however late. So a question is asked: the
 * node's desired state gets a new generation, and who carries that generation, or a later one, in a
 * report of the old life has read a reply that was given after its end. Plain data, pure. */
#ifndef HUDDLE_TWIN_H
#define HUDDLE_TWIN_H

#include <stdbool.h>
#include <stdint.h>

struct twin {
    uint64_t epoch;      /* of the life that should be over; 0: none was heard */
    uint64_t generation; /* nobody has read it who was not alive since */
    int64_t asked_ms;    /* boot time of the question, */
    int64_t proven_ms;   /* and of the newest proof */
    bool proven;         /* once; see twin_present() */
    bool told;           /* people know, and the replies say "keep what runs" */
};

enum twin_finding {
    TWIN_NONE,   /* a straggler, as far as one can know */
    TWIN_ASK,    /* give the desired state the next generation */
    TWIN_PROVEN, /* it is alive */
};

/* A report of another life than the one in force came in, carrying out generation `carried`; the
 * newest one handed out is `newest`. */
enum twin_finding twin_hear(struct twin *t, uint64_t epoch, uint64_t carried, uint64_t newest,
                            int64_t now_ms);

/* Was it heard in the last minute? */
bool twin_present(const struct twin *t, int64_t now_ms);

#endif
