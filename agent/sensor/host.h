/* The node's own CPU, memory and pressure from /proc into a sample. What a kernel does not have
 * (PSI before 4.20, or booted with psi=0) is simply not known and no problem. The files are opened
 * once: each look costs one reading. */
#ifndef HUDDLE_HOST_H
#define HUDDLE_HOST_H

#include <stdbool.h>

#include "agent/sample.h"
#include "proto/base/cleanup.h"

struct host;

struct host *host_new(const char *proc_root, bool each_cpu);
void host_free(struct host *h);
DEFINE_AUTO(host, struct host *, host_free);

/* Sets out->cpu (and ->cpus, where each CPU is asked for), ->memory and ->pressure; tells what
 * cannot be read. */
void host_read(struct host *h, struct sample *out);

#endif
