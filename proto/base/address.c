/* Addresses to listen on: see address.h. */
#include "proto/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int address_split(const char *text, char *host, size_t size, uint16_t *ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    char *end;
    long port;

    if (n == 0 || n >= size)
        return -EINVAL;
    port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end || port < 0 || port > UINT16_MAX)
        return -EINVAL;
    if (text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0)
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = '\0';
    *ret_port = (uint16_t)port;
    return 0;
}

bool address_is_ip(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

bool address_is_loopback(const char *host)
{
    struct in_addr four;
    struct in6_addr six;

    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}
