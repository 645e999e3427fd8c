/* Addresses to listen on, as people write them: "127.0.0.1:7443", "[::1]:7443". */
#ifndef HUDDLE_BASE_ADDRESS_H
#define HUDDLE_BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Host, without brackets, and port (0..65535). The host may be a name. -EINVAL when there is no
 * host or no port, or `size` bytes are too few. */
int address_split(const char *text, char *host, size_t size, uint16_t *ret_port);

/* Of a host without brackets; false for names, "localhost" too. */
bool address_is_ip(const char *host);
bool address_is_loopback(const char *host);

#endif
