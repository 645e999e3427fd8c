/* Resource quantities and lists of them, as Kubernetes has them. Pure.
 *
 * Source: k8s.io/apimachinery/pkg/api/resource. Kept in thousandths (milli), rounded up as the API
 * server rounds; what is too large is INT64_MAX. */
#ifndef HUDDLE_KUBERNETES_AMOUNT_H
#define HUDDLE_KUBERNETES_AMOUNT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "500m", "2", "1Gi", "1.5e3", "128974848000m" -> thousandths. -EINVAL. */
int amount_parse(const char *text, int64_t *ret_milli);

/* Resources by name: "cpu", "memory", "pods", "nvidia.com/gpu". */
struct amounts {
    struct amount {
        char *name;
        int64_t milli;
    } * item;
    size_t n_item, cap_item;
};

int64_t amounts_get(const struct amounts *a, const char *name); /* 0: none */
void amounts_set(struct amounts *a, const char *name, int64_t milli);
void amounts_add(struct amounts *a, const struct amounts *b);
void amounts_raise(struct amounts *a, const struct amounts *b); /* each to the larger of both */
void amounts_done(struct amounts *a);

/* Reads {"cpu": "1", ...}; what is no quantity is left out. */
void amounts_read(struct amounts *a, const json_t *object);

#endif
