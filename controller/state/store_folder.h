/* The folder of the store: that it is there, private, on a local disk; and the ballast, a file that
 * does nothing but take room, so that room can be made when the disk is full. Private to store*.c.
 */
#ifndef HUDDLE_STORE_FOLDER_H
#define HUDDLE_STORE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/err.h"

/* Makes the last part of the path when it is missing. 0, STORE_NETWORK, or -errno. */
int store_folder_open(const char *folder, int *ret_fd, struct err *e);

/* Locks of network file systems cannot be trusted. `magic` as in statfs(2). */
bool store_folder_is_remote(uint32_t magic);

/* Makes the ballast when it is missing or too small; -errno when there is no room for it. */
int store_ballast_load(int folder_fd, uint64_t bytes);
bool store_ballast_drop(int folder_fd); /* was there one? */

#endif
