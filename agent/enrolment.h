/* What the controller answers to a request for a certificate, the first or the next one, checked
 * before anything of it is used: it must be for this node's key and name. */
#ifndef HUDDLE_ENROLMENT_H
#define HUDDLE_ENROLMENT_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

struct enrolment {                   /* texts are the caller's to free: enrolment_done() */
    char *certificate, *authorities; /* PEM */
    uint16_t agents_port;            /* where the controller hears agents; 0: nowhere */
};
void enrolment_done(struct enrolment *a);

/* Reads the JSON. -EBADMSG with what is wrong with it. */
int enrolment_read(const char *answer, size_t n, const char *key, const char *node,
                   struct enrolment *ret, struct err *e);

/* The authorities first: a certificate is never there without whom it is of. Each file is replaced
 * whole, and synced. */
int enrolment_store(const struct enrolment *a, const char *ca_file, const char *certificate_file,
                    struct err *e);

/* Replaces a file whole, mode 0600, and syncs it. */
int enrolment_write(const char *path, const char *text, struct err *e);

#endif
