/* What the agent takes of its node's memory: see footprint.h. */
#include "agent/footprint.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define KEPT_BYTES (1 << 20)

void footprint_init(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
}

struct mapping {
    uintptr_t begin, end;
    bool of_file; /* private, readable and not writable */
    unsigned long changed_kib;
};

/* "7f0c8a000000-7f0c8a021000 r-xp 00001000 fe:00 1234   /lib/x.so"; false for other lines. */
static bool read_head(const char *line, struct mapping *ret_mapping)
{
    unsigned long begin, end;
    char rights[5] = "", path[8] = "";

    if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %7s", &begin, &end, rights, path) < 3)
        return false;
    *ret_mapping = (struct mapping){
        .begin = begin,
        .end = end,
        .of_file = path[0] == '/' && rights[0] == 'r' && rights[1] == '-' && rights[3] == 'p',
    };
    return true;
}

size_t footprint_shrink(void)
{
    FILE *file = fopen("/proc/self/smaps", "re");
    struct mapping m = { 0 };
    unsigned long kib;
    size_t bytes = 0;
    char line[512];

    while (file && fgets(line, sizeof(line), file)) {
        if (read_head(line, &m))
            continue;
        if (sscanf(line, "Anonymous: %lu kB", &kib) == 1)
            m.changed_kib += kib;
        /* The last that matters of a mapping. Pages that were written (relocated), in memory or in
         * swap, cannot be read from the file again: they stay, and all that is around them. */
        if (sscanf(line, "Swap: %lu kB", &kib) != 1 || m.changed_kib + kib > 0 || !m.of_file)
            continue;
        if (madvise((void *)m.begin, m.end - m.begin, MADV_DONTNEED) == 0) /* NOLINT: from text */
            bytes += m.end - m.begin;
    }
    if (file)
        (void)fclose(file);
    return bytes;
}
