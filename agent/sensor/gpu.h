/* GPUs through NVML, which is opened with dlopen and never linked: a node without it just has no
 * GPUs. NVML is documented at docs.nvidia.com/deploy/nvml-api.
 *
 * Each physical GPU is one sample_gpu and one energy zone "nvml:UUID", kind gpu, always counted:
 * its own energy counter where it has one (nvmlDeviceGetTotalEnergyConsumption, Volta and later:
 * MEASURED), else its power integrated over the time between reads (ESTIMATED). MIG instances are
 * parts of their GPU and not shown. A GPU that falls off the bus stays in the sample, invalid and
 * with a reason, and is looked for again; it is never 0 joules. One that tells neither energy nor
 * power is not counted, and said so. */
#ifndef HUDDLE_GPU_H
#define HUDDLE_GPU_H

#include "agent/sample.h"
#include "proto/base/cleanup.h"

#define NVML_LIBRARY "libnvidia-ml.so.1"

struct gpus;

/* `library` NULL: NVML_LIBRARY; "": no GPU is looked for. Always gives a sensor. A library that is
 * there but fails is a problem of each sample; one that is absent is none. */
struct gpus *gpus_new(const char *library);
void gpus_free(struct gpus *g);
DEFINE_AUTO(gpus, struct gpus *, gpus_free);

/* Appends to out->gpus, out->zones and out->problems; out->boot_ms is set. */
void gpus_read(struct gpus *g, struct sample *out);

#endif
