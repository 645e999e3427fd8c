/* What a BMC's Redfish service says, out of JSON (DMTF DSP0266 and DSP2046, ComputerSystem). Pure.
 * Everything here comes from outside; what is absent is unknown, never "off". */
#ifndef HUDDLE_REDFISH_BODY_H
#define HUDDLE_REDFISH_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/controller.h"
#include "proto/base/err.h"

#define REDFISH_ORIGIN_MAX 300 /* of https://host:port */

/* The path of a reference (@odata.id, target, Location), which is a path already or a whole URL:
 * of this very origin, or nothing is sent there. -EBADMSG with the reason in e. Caller frees. */
int redfish_path(const char *origin, const char *reference, char **ret_path, struct err *e);

struct redfish_root {
    char *systems;  /* path of the collection */
    char *sessions; /* the same; NULL: it has no sessions */
};
int redfish_root_parse(const char *origin, const char *bytes, size_t n,
                       struct redfish_root *ret_root, struct err *e);
void redfish_root_done(struct redfish_root *r);

/* The one member of a collection. *ret_count tells how many there are, also when they are not one
 * (-ENOENT). Caller frees the path. */
int redfish_member_parse(const char *origin, const char *bytes, size_t n, char **ret_path,
                         size_t *ret_count, struct err *e);

enum { REDFISH_ON = 1, REDFISH_GRACEFUL_SHUTDOWN = 2, REDFISH_FORCE_OFF = 4 };

struct redfish_resets {
    bool known;       /* the values are listed */
    unsigned values;  /* of those above */
    char listed[160]; /* for people: "On, ForceOff, ..." */
};

struct redfish_system {
    enum power_reading power;
    char word[24];     /* PowerState as it stands there, "" : none or null */
    char *uuid;        /* or NULL */
    char *target;      /* path of the reset action; NULL: there is none */
    char *action_info; /* path of the resource that lists its values; NULL: there is none */
    struct redfish_resets resets;
};
int redfish_system_parse(const char *origin, const char *bytes, size_t n,
                         struct redfish_system *ret_system, struct err *e);
void redfish_system_done(struct redfish_system *s);

/* The values of an ActionInfo. */
int redfish_resets_parse(const char *bytes, size_t n, struct redfish_resets *ret_resets,
                         struct err *e);

/* What an error answer says, as one printable line; "" when it says nothing. */
void redfish_error_line(const char *bytes, size_t n, char *line, size_t size);

#endif
