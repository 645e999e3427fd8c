/* A listener that no fact of a cluster interests. */
#ifndef HUDDLE_TESTS_KUBE_DEAF_SINK_H
#define HUDDLE_TESTS_KUBE_DEAF_SINK_H

#include "controller/substrate/kube_cluster.h"

static inline void deaf_node(void *data, const struct kube_node_facts *f)
{
    (void)data;
    (void)f;
}

static inline void deaf_pod(void *data, const struct kube_pod_facts *f)
{
    (void)data;
    (void)f;
}

static inline void deaf_model(void *data, const struct kube_model_facts *f)
{
    (void)data;
    (void)f;
}

static inline void deaf_power(void *data, const struct kube_power_facts *f)
{
    (void)data;
    (void)f;
}

static const struct kube_sink DEAF_SINK = {
    .node = deaf_node, .pod = deaf_pod, .model = deaf_model, .power = deaf_power
};

#endif
