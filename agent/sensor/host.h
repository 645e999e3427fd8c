/* The node's own CPU, memory and pressure from /proc into a sample. What a kernel does not have
 * (PSI before 4.20, or booted with psi=0) is simply not known and no problem. */
#ifndef HUDDLE_HOST_H
#define HUDDLE_HOST_H

#include "agent/sample.h"

void host_read_cpu(const char *proc_root, struct sample *out);
void host_read_memory(const char *proc_root, struct sample *out);
void host_read_pressure(const char *proc_root, struct sample *out);

#endif
