/* Runtimes between their reader (runtimes.c) and their use (runtimes_resolve.c). */
#ifndef HUDDLE_REPLICA_RUNTIMES_PRIVATE_H
#define HUDDLE_REPLICA_RUNTIMES_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/replica/argument.h"
#include "agent/replica/runtimes.h"
#include "proto/field.h"

struct runtime {
    char *name, *exec, *user;
    struct string_list fixed;
    struct argument *arguments; /* in the order of the file */
    size_t n_arguments, cap_arguments;
    struct {
        char *flag; /* "": the port stands in the environment alone */
        int64_t least, most;
        bool proxied;
    } port;
    struct string_list environment; /* keys that a manifest may set */
    struct string_map variables;
    int64_t cpu_milli, memory_bytes, open_files; /* -1: no ceiling */
};

struct runtimes {
    struct runtime *runtimes; /* ascending by name */
    size_t n_runtimes, cap_runtimes;
    const char **names;
};

/* Letters, digits and "_", not beginning with a digit. */
bool variable_name_valid(const char *key);

/* Is the variable one that huddle sets itself (PORT, HUDDLE_*, CUDA_VISIBLE_DEVICES)? */
bool variable_is_ours(const char *key);

#endif
