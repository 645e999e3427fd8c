/* What a part that writes to Kubernetes by itself is made with: the client, and the leader's leave
 * to write. All calls are on the loop; `data` is theirs. */
#ifndef HUDDLE_SUBSTRATE_KUBE_WRITER_H
#define HUDDLE_SUBSTRATE_KUBE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

struct kube_client;

struct kube_writer {
    struct kube_client *client;
    void *data;
    /* Until when a write may be sent; 0: none may begin. Else end_write() follows. */
    int64_t (*begin_write)(void *data);
    void (*end_write)(void *data);
    uint64_t (*epoch)(void *data);
    void (*note)(void *data, bool warning, const char *text);
};

#endif
