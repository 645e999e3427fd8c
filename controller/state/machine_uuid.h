/* Product UUIDs of machines, as firmware, BMC and operating system write them: the same bytes in
 * different orders (SMBIOS 3.x, 7.2.1: the first three fields are little-endian, and some BMCs turn
 * all of them round). Pure. */
#ifndef HUDDLE_MACHINE_UUID_H
#define HUDDLE_MACHINE_UUID_H

#include <stdbool.h>

/* Are both UUIDs, and cannot be the same one in any of these orders? */
bool machine_uuid_differs(const char *a, const char *b);

#endif
