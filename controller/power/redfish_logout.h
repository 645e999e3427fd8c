/* Gives back the sessions of BMCs: one that is left behind counts there for half an hour, and a BMC
 * has few (8 of them on an iDRAC). */
#ifndef HUDDLE_REDFISH_LOGOUT_H
#define HUDDLE_REDFISH_LOGOUT_H

#include <stddef.h>

struct redfish_farewell {                      /* borrowed for the call */
    const char *url;                           /* of the session */
    const char *token, *ca_file, *fingerprint; /* the latter two may be NULL */
};

/* Deletes them all, several at a time, within three seconds; which of them worked is not told. Runs
 * a loop of its own: for the end of a program, when its loop turns no more. */
void redfish_logout(const struct redfish_farewell *farewells, size_t n);

#endif
