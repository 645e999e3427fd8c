/* The pure half of discovery: documents into a table. Private to kube_client. */
#ifndef HUDDLE_KUBE_DISCOVERY_PRIVATE_H
#define HUDDLE_KUBE_DISCOVERY_PRIVATE_H

#include <jansson.h>

#include "controller/kube_client/kube_discovery.h"

#define KUBE_AGGREGATED                                                          \
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"      \
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList," \
    "application/json"

/* Order: begin; then what the server sent, in any order; then end. Of versions of one group the one
 * that the table likes best stays. */
void kube_discovery_begin(struct kube_capabilities *c);
void kube_discovery_version(struct kube_capabilities *c, const json_t *version); /* of /version */

/* An APIGroupDiscoveryList (v2 and v2beta1 are alike), of /api or /apis. */
bool kube_discovery_is_aggregated(const json_t *document);
void kube_discovery_aggregated(struct kube_capabilities *c, const json_t *document);

/* An APIResourceList, of /api/v1 or /apis/GROUP/VERSION; group "" is the core. */
void kube_discovery_resources(struct kube_capabilities *c, const char *group, const char *version,
                              const json_t *document);

/* Is anything of the table in that group and version? */
bool kube_discovery_wants(const char *group, const char *version);
void kube_discovery_stale(struct kube_capabilities *c, const char *group, const char *version,
                          const char *why);
void kube_discovery_end(struct kube_capabilities *c);

#endif
