/* The part of NVML (docs.nvidia.com/deploy/nvml-api) that is used here, opened with dlopen. Names,
 * types and numbers below are those of nvml.h; a function that the library lacks is NULL. */
#ifndef HUDDLE_NVML_H
#define HUDDLE_NVML_H

#include "proto/base/cleanup.h"
#include "proto/base/err.h"

#define NVML_TEXT_MAX 96u /* NVML_DEVICE_NAME_V2_BUFFER_SIZE, ..._UUID_V2_BUFFER_SIZE */

enum nvml_result {
    NVML_SUCCESS = 0,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_FUNCTION_NOT_FOUND = 13,
    NVML_ERROR_GPU_IS_LOST = 15,
};

typedef struct nvml_device *nvml_device; /* opaque; of no use after shutdown() */

struct nvml_memory {
    unsigned long long total_bytes, free_bytes, used_bytes;
};

struct nvml_utilization { /* percent */
    unsigned gpu, memory;
};

struct nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int result);
    int (*count)(unsigned *ret_count); /* physical GPUs: MIG instances have no index of their own */
    int (*by_index)(unsigned index, nvml_device *ret_device);
    int (*uuid)(nvml_device d, char *text, unsigned size);
    int (*name)(nvml_device d, char *text, unsigned size);
    int (*memory)(nvml_device d, struct nvml_memory *ret_memory);
    int (*utilization)(nvml_device d, struct nvml_utilization *ret_utilization);
    int (*power_limits)(nvml_device d, unsigned *ret_least_mw, unsigned *ret_most_mw);
    int (*power)(nvml_device d, unsigned *ret_mw);
    int (*energy)(nvml_device d, unsigned long long *ret_mj); /* since the driver was loaded */
};

/* Loads the library; calls nothing in it. 1: loaded; 0: it is not there; -errno: it is no NVML. */
int nvml_open(const char *library, struct nvml *ret_nvml, struct err *e);
void nvml_close(struct nvml *n);

/* What a result means, in the library's words. */
const char *nvml_text(const struct nvml *n, int result);

#endif
