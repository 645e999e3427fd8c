/* Where the API server is and who we are there: see kube_config.h. */
#include "controller/kube_client/kube_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/array.h"

#define TEXTS(c)                                                                             \
    {                                                                                        \
        &(c)->source, &(c)->server, &(c)->tls_server_name, &(c)->proxy_url, &(c)->namespace, \
            &(c)->ca_file, &(c)->cert_file, &(c)->key_file, &(c)->token, &(c)->token_file,   \
            &(c)->impersonate.user, &(c)->impersonate.uid                                    \
    }

struct kube_config *kube_config_new(void)
{
    struct kube_config *c = xcalloc(1, sizeof(*c));
    char **texts[] = TEXTS(c);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = xstrdup("");
    for (size_t i = 0; i < ARRAY_LEN(c->memfd); i++)
        c->memfd[i] = -1;
    return c;
}

static void exec_free(struct kube_exec *x)
{
    if (!x)
        return;
    free(x->api_version);
    free(x->command);
    free(x->install_hint);
    string_list_done(&x->args);
    string_map_done(&x->env);
    free(x);
}

void kube_config_free(struct kube_config *c)
{
    char **texts[] = TEXTS(c);

    if (!c)
        return;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(*texts[i]);
    for (size_t i = 0; i < ARRAY_LEN(c->memfd); i++)
        if (c->memfd[i] >= 0)
            (void)close(c->memfd[i]);
    string_list_done(&c->impersonate.groups);
    exec_free(c->exec);
    free(c);
}
