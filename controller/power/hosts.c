/* Hosts that drivers may speak with: see hosts.h. */
#include "controller/power/hosts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

struct network {
    unsigned char bytes[16];
    unsigned n_bytes; /* 4 or 16 */
    unsigned bits;    /* that count */
};

static bool parse_address(const char *text, struct network *ret)
{
    if (inet_pton(AF_INET, text, ret->bytes) == 1)
        ret->n_bytes = 4;
    else if (inet_pton(AF_INET6, text, ret->bytes) == 1)
        ret->n_bytes = 16;
    else
        return false;
    ret->bits = ret->n_bytes * 8;
    return true;
}

static bool parse_network(const char *text, struct network *ret)
{
    const char *slash = strchr(text, '/');
    char address[INET6_ADDRSTRLEN];
    char *end;
    unsigned long bits;

    if (!slash)
        return parse_address(text, ret);
    if ((size_t)(slash - text) >= sizeof(address) || !isdigit((unsigned char)slash[1]))
        return false;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    bits = strtoul(slash + 1, &end, 10);
    if (*end || !parse_address(address, ret) || bits > ret->bits)
        return false;
    ret->bits = (unsigned)bits;
    return true;
}

static bool inside(const struct network *n, const struct network *address)
{
    unsigned whole = n->bits / 8, rest = n->bits % 8;

    if (n->n_bytes != address->n_bytes || memcmp(n->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (n->bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

static bool is_name(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && n < 256 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == n;
}

bool power_host_pattern(const char *text)
{
    struct network n;

    return parse_network(text, &n) || is_name(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

static bool matches(const char *pattern, const char *host)
{
    struct network n, address;
    size_t tail = strlen(pattern), length = strlen(host);

    if (parse_network(pattern, &n))
        return parse_address(host, &address) && inside(&n, &address);
    if (pattern[0] != '*')
        return strcasecmp(pattern, host) == 0;
    tail--; /* ".mgmt.example" */
    return length > tail && strcasecmp(host + length - tail, pattern + 1) == 0;
}

bool power_hosts_allow(const struct string_list *patterns, const char *host)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (matches(patterns->item[i], host))
            return true;
    return false;
}

int power_hosts_admit(const struct string_list *patterns, const char *host, struct err *e)
{
    AUTO(strbuf) struct strbuf list = STRBUF_INIT;

    if (power_hosts_allow(patterns, host))
        return 0;
    for (size_t i = 0; i < patterns->n; i++)
        strbuf_printf(&list, "%s%s", i ? ", " : "", patterns->item[i]);
    return err_set(e, -EPERM,
                   "%.200s is none of the hosts that the controller's configuration allows "
                   "(powerDrivers.hosts: %s)",
                   host, patterns->n ? strbuf_text(&list) : "none");
}
