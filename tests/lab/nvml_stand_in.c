/* A stand-in for libnvidia-ml.so.1, for tests: GPUs as the text file named by HUDDLE_NVML_STAND_IN
 * describes them, read anew at every call. A line is one GPU, KEY=VALUE by blanks; what a line does
 * not say, the GPU does not support:
 *
 *     gpu uuid=GPU-1 name=NVIDIA_A100 energy_mj=1000 power_mw=250000 most_mw=400000 memory=80
 * used=20 busy=57 gpu uuid=GPU-2 lost=1 init 9
 *
 * `held=1` stands for a counter that the driver drops when nobody holds it open: 0 after the first
 * nvmlShutdown. `lost` makes every call fail as for a GPU that fell off the bus; `init N` makes
 * nvmlInit fail. As in the real library, GPUs are counted at nvmlInit, and no handle outlives
 * nvmlShutdown. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define GPUS_MAX 64

enum { OK, UNINITIALIZED, INVALID = 2, NOT_SUPPORTED = 3, LOST = 15 };

static unsigned n_gpus;
static uintptr_t life; /* of the handles of one nvmlInit */
static bool started;

/* Prototypes of nvml.h. */
EXPORT int nvmlInit_v2(void);
EXPORT int nvmlShutdown(void);
EXPORT const char *nvmlErrorString(int result);
EXPORT int nvmlDeviceGetCount_v2(unsigned *count);
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
EXPORT int nvmlDeviceGetUUID(void *device, char *text, unsigned size);
EXPORT int nvmlDeviceGetName(void *device, char *text, unsigned size);
EXPORT int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3]);
EXPORT int nvmlDeviceGetUtilizationRates(void *device, unsigned utilization[2]);
EXPORT int nvmlDeviceGetPowerManagementLimitConstraints(void *device, unsigned *least,
                                                        unsigned *most);
EXPORT int nvmlDeviceGetPowerUsage(void *device, unsigned *mw);
EXPORT int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj);

/* The nth line that begins with `word`. */
static bool read_line(const char *word, unsigned nth, char *line, size_t size)
{
    const char *path = getenv("HUDDLE_NVML_STAND_IN");
    FILE *file = path ? fopen(path, "re") : NULL;
    bool found = false;

    while (file && !found && fgets(line, (int)size, file))
        found = strncmp(line, word, strlen(word)) == 0 && nth-- == 0;
    if (file)
        (void)fclose(file);
    return found;
}

/* The value of "KEY=" in the line of the device, cut at the next blank. */
static int get(void *device, const char *key, char *text, size_t size)
{
    uintptr_t handle = (uintptr_t)device;
    char line[1024], word[64];
    const char *at;

    if (!started || handle / GPUS_MAX != life)
        return UNINITIALIZED;
    if (!read_line("gpu", (unsigned)(handle % GPUS_MAX), line, sizeof(line)) ||
        strstr(line, " lost=1"))
        return LOST;
    (void)snprintf(word, sizeof(word), " %s=", key);
    at = strstr(line, word);
    if (!at)
        return NOT_SUPPORTED;
    at += strlen(word);
    if (strcspn(at, " \n") >= size)
        return INVALID;
    (void)snprintf(text, size, "%.*s", (int)strcspn(at, " \n"), at);
    return OK;
}

static int get_number(void *device, const char *key, unsigned long long *ret_value)
{
    char text[32];
    int result = get(device, key, text, sizeof(text));

    if (result == OK)
        *ret_value = strtoull(text, NULL, 10);
    return result;
}

int nvmlInit_v2(void)
{
    char line[1024];

    if (read_line("init", 0, line, sizeof(line)))
        return atoi(line + strlen("init"));
    for (n_gpus = 0; n_gpus < GPUS_MAX && read_line("gpu", n_gpus, line, sizeof(line));)
        n_gpus++;
    started = true;
    life++;
    return OK;
}

int nvmlShutdown(void)
{
    started = false;
    return OK;
}

const char *nvmlErrorString(int result)
{
    switch (result) {
    case OK:
        return "Success";
    case NOT_SUPPORTED:
        return "Not Supported";
    case 9:
        return "Driver Not Loaded";
    case LOST:
        return "GPU is lost";
    default:
        return "Unknown Error";
    }
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = n_gpus;
    return started ? OK : UNINITIALIZED;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    char line[1024];

    if (!started || index >= n_gpus)
        return started ? INVALID : UNINITIALIZED;
    if (!read_line("gpu", index, line, sizeof(line)) || strstr(line, " lost=1"))
        return LOST;
    *device = (void *)(life * GPUS_MAX + index); /* NOLINT: a handle, never followed */
    return OK;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned size)
{
    return get(device, "uuid", text, size);
}

int nvmlDeviceGetName(void *device, char *text, unsigned size)
{
    int result = get(device, "name", text, size);

    for (char *p = text; result == OK && *p; p++) {
        if (*p == '_')
            *p = ' ';
    }
    return result;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long memory[3])
{
    int result = get_number(device, "memory", &memory[0]);

    if (result == OK)
        result = get_number(device, "used", &memory[2]);
    memory[1] = memory[0] - memory[2];
    return result;
}

static int get_unsigned(void *device, const char *key, unsigned *ret_value)
{
    unsigned long long value = 0;
    int result = get_number(device, key, &value);

    if (result == OK)
        *ret_value = (unsigned)value;
    return result;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned utilization[2])
{
    utilization[1] = 0;
    return get_unsigned(device, "busy", &utilization[0]);
}

int nvmlDeviceGetPowerManagementLimitConstraints(void *device, unsigned *least, unsigned *most)
{
    *least = 0;
    return get_unsigned(device, "most_mw", most);
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw)
{
    return get_unsigned(device, "power_mw", mw);
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *mj)
{
    unsigned long long held = 0;

    if (get_number(device, "held", &held) != OK || !held || life == 1)
        return get_number(device, "energy_mj", mj);
    *mj = 0;
    return OK;
}
