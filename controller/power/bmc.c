/* A node's BMC, out of its pool: see bmc.h. */
#include "controller/power/bmc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/power/hosts.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

#define NODE "{node}"

/* The pair, so that its key can be told; NULL: none. */
static const struct string_pair *find(const struct string_map *map, const char *key,
                                      const char *node)
{
    size_t n = strlen(key);
    const struct string_pair *all = NULL;

    for (size_t i = 0; i < map->n; i++) {
        const char *at = map->pair[i].key;

        if (strncmp(at, key, n) != 0)
            continue;
        if (at[n] == '/' && strcmp(at + n + 1, node) == 0)
            return &map->pair[i];
        if (!at[n])
            all = &map->pair[i];
    }
    return all;
}

const char *bmc_value(const struct string_map *map, const char *key, const char *node)
{
    const struct string_pair *pair = find(map, key, node);

    return pair ? pair->value : NULL;
}

/* --- addresses ----------------------------------------------------------------------------------
 */

static char *fill_in(const char *text, const char *node)
{
    struct strbuf b = STRBUF_INIT;

    for (const char *at; (at = strstr(text, NODE)); text = at + strlen(NODE)) {
        strbuf_add(&b, text, (size_t)(at - text));
        strbuf_puts(&b, node);
    }
    strbuf_puts(&b, text);
    return strbuf_take(&b);
}

/* The host of host[:port], or NULL: it is none. Caller frees. */
static char *host_of(const char *text)
{
    const char *end = text + strcspn(text, ":"), *begin = text;
    char *host;

    if (text[0] == '[') {
        begin = text + 1;
        end = begin + strcspn(begin, "]");
        if (!*end || (end[1] && end[1] != ':'))
            return NULL;
    }
    text = *end == ']' ? end + 1 : end;
    if (end == begin || (*text == ':' && (!text[1] || strspn(text + 1, "0123456789") > 5 ||
                                          text[1 + strspn(text + 1, "0123456789")])))
        return NULL;
    host = xcalloc(1, (size_t)(end - begin) + 1);
    memcpy(host, begin, (size_t)(end - begin));
    return host;
}

static int split(const char *address, const char *scheme, char **ret_address, char **ret_host,
                 struct err *e)
{
    size_t n = strlen(scheme), length = strlen(address);
    AUTO(mem) char *whole = NULL;
    char *host = NULL;

    if (length > 0 && address[length - 1] == '/')
        length--;
    whole = xcalloc(1, length + 1);
    memcpy(whole, address, length);
    if (strncmp(whole, scheme, n) == 0 && !strpbrk(whole + n, "/@?#% \t\r\n\\"))
        host = host_of(whole + n);
    if (!host)
        return err_set(e, -EINVAL, "\"%.100s\": expected %shost or %shost:port", address, scheme,
                       scheme);
    *ret_address = TAKE(whole);
    *ret_host = host;
    return 0;
}

int bmc_address(const struct power_pool *pool, const char *node, const char *scheme,
                const struct string_list *hosts, char **ret_address, char **ret_host, struct err *e)
{
    const struct string_pair *pair = find(&pool->driver.settings, "address", node);
    AUTO(mem) char *filled = NULL;
    AUTO(mem) char *address = NULL;
    AUTO(mem) char *host = NULL;
    int r;

    if (!pair)
        return err_set(e, -ENOENT, "settings.address of its pool names no BMC for this node");
    filled = fill_in(pair->value, node);
    if ((r = split(filled, scheme, &address, &host, e)) < 0 ||
        (r = power_hosts_admit(hosts, host, e)) < 0)
        return err_prefix(e, r, "settings.%.80s", pair->key);
    *ret_address = TAKE(address);
    *ret_host = TAKE(host);
    return 0;
}

int bmc_admit(const struct power_pool *pool, const char *scheme, const struct string_list *hosts,
              struct err *e)
{
    const struct string_map *settings = &pool->driver.settings;
    int r = 0;

    for (size_t i = 0; i < settings->n && r == 0; i++) {
        const struct string_pair *pair = &settings->pair[i];
        AUTO(mem) char *filled = fill_in(pair->value, "node");
        AUTO(mem) char *address = NULL;
        AUTO(mem) char *host = NULL;

        if (strncmp(pair->key, "address", 7) != 0)
            continue;
        r = split(filled, scheme, &address, &host, e);
        if (r == 0 && !strstr(pair->value, NODE))
            r = power_hosts_admit(hosts, host, e);
        if (r < 0)
            r = err_prefix(e, r, "spec.driver.settings.%.80s", pair->key);
    }
    return r;
}

/* --- secrets ------------------------------------------------------------------------------------
 */

int bmc_secret(const struct power_request *request, const char *key, struct secrets *ret_secrets,
               struct err *e)
{
    const struct string_pair *pair = find(&request->pool->driver.secrets, key, request->node);
    const struct string_map one = { (struct string_pair *)pair, 1 };

    if (!pair)
        return err_set(e, -ENOENT, "secrets.%s of its pool names no file for this node", key);
    return secrets_read(&one, request->folders->secrets, ret_secrets, e);
}
