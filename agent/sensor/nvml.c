/* NVML through dlopen: see nvml.h. */
#include "agent/sensor/nvml.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "proto/base/array.h"

/* Where dlsym's result goes; a function pointer cannot be assigned from void * in ISO C. */
struct symbol {
    const char *name;
    void *place;
    int optional;
};

static int load(struct nvml *n, struct err *e)
{
    const struct symbol symbols[] = {
        { "nvmlInit_v2", &n->init, 0 },
        { "nvmlShutdown", &n->shutdown, 0 },
        { "nvmlErrorString", &n->error_string, 0 },
        { "nvmlDeviceGetCount_v2", &n->count, 0 },
        { "nvmlDeviceGetHandleByIndex_v2", &n->by_index, 0 },
        { "nvmlDeviceGetUUID", &n->uuid, 0 },
        { "nvmlDeviceGetName", &n->name, 0 },
        { "nvmlDeviceGetMemoryInfo", &n->memory, 0 },
        { "nvmlDeviceGetUtilizationRates", &n->utilization, 0 },
        { "nvmlDeviceGetPowerManagementLimitConstraints", &n->power_limits, 1 },
        { "nvmlDeviceGetPowerUsage", &n->power, 1 },
        { "nvmlDeviceGetTotalEnergyConsumption", &n->energy, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
        void *function = dlsym(n->library, symbols[i].name);
        if (!function && !symbols[i].optional)
            return err_set(e, -ENOSYS, "it has no %s", symbols[i].name);
        memcpy(symbols[i].place, &function, sizeof(function));
    }
    return 0;
}

int nvml_open(const char *library, struct nvml *ret_nvml, struct err *e)
{
    struct nvml n = { .library = dlopen(library, RTLD_NOW | RTLD_LOCAL) };
    const char *why = n.library ? NULL : dlerror();
    int r;

    if (!n.library && why && strncmp(why, library, strlen(library)) == 0 &&
        strstr(why, "No such file"))
        return 0; /* it itself, and not a library that it needs */
    if (!n.library)
        return err_set(e, -ENOEXEC, "%s", why ? why : library);
    r = load(&n, e);
    if (r < 0) {
        nvml_close(&n);
        return err_prefix(e, r, "%s", library);
    }
    *ret_nvml = n;
    return 1;
}

void nvml_close(struct nvml *n)
{
    if (n->library)
        (void)dlclose(n->library);
    memset(n, 0, sizeof(*n));
}

const char *nvml_text(const struct nvml *n, int result)
{
    const char *text = n->error_string(result);

    return text ? text : "unknown error";
}
