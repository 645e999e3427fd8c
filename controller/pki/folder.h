/* The folder of the doors: what `huddle-controller init` makes and the controller, its agents'
 * enrolment and `huddlectl token` use. It is the user's who runs the controller, and nobody else
 * may look into it; who writes there as root gives the file to the folder's owner.
 *
 *     ca.pem             the authorities that are trusted; the one of ca.key signs
 *     ca.key
 *     server.pem/.key    the controller's own certificate
 *     tokens             of people and programs: controller/api/auth.h
 *     join/ nodes/ denied/  see join_token.h and roster.h
 *
 * In files and not in the store: they are made before a controller ever ran, can be changed while
 * it runs or is down, and are saved and given back apart from what the controller remembers. */
#ifndef HUDDLE_PKI_FOLDER_H
#define HUDDLE_PKI_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/err.h"

#define PKI_FOLDER_DEFAULT "/var/lib/huddle-controller/pki"
#define PKI_CA "ca.pem"
#define PKI_CA_KEY "ca.key"
#define PKI_SERVER "server.pem"
#define PKI_SERVER_KEY "server.key"
#define PKI_TOKENS "tokens"
#define PKI_JOIN "join"
#define PKI_NODES "nodes"
#define PKI_DENIED "denied"

/* DIR/NAME; the caller's to free. */
char *pki_path(const char *dir, const char *name);

/* Makes a folder, unless it is there; of the owner of the one above. */
int pki_make_folder(const char *path, struct err *e);

/* Makes DIR/NAME whole, synced before it has that name: a reader sees the old file or the new one.
 * A new one has mode 0600 and the folder's owner, an old one keeps what it has. `fresh`: -EEXIST
 * when it is there already. */
int pki_write(const char *dir, const char *name, const void *bytes, size_t n, bool fresh,
              struct err *e);

/* The same of a path, which is there. */
int pki_replace(const char *path, const void *bytes, size_t n, struct err *e);

/* Adds a line to a file, made if need be: by one write, so that a reader never sees a part. */
int pki_append(const char *path, const char *line, struct err *e);

/* The caller's to free. */
int pki_read(const char *dir, const char *name, char **ret_text, struct err *e);

/* Signs the controller's own key anew when less than a third of its certificate's life is left,
 * for the names that the old one has. *ret_renewed: whether it did. */
int pki_renew_server(const char *dir, int64_t now_ms, bool *ret_renewed, struct err *e);

#endif
