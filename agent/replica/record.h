/* What is on disk about a running replica, so that the next agent finds it again. One file:
 *
 *     huddle-replica 1 PID START_TICKS
 *     boot_id ID
 *     pid_namespace INODE
 *     started_ms BOOTTIME
 *     cgroup FOLDER               (none, one, or one for each hierarchy)
 *     desired N
 *     <N bytes: an encoded wire_reply with this replica alone>
 *
 * The parent prepares all but the first line; the child, who alone knows its pid in time, writes
 * the file before it becomes the program. */
#ifndef HUDDLE_REPLICA_RECORD_H
#define HUDDLE_REPLICA_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/replica/identity.h"
#include "proto/base/err.h"
#include "proto/base/strbuf.h"
#include "proto/field.h"
#include "proto/wire.h"

struct record {
    pid_t pid;
    uint64_t start_ticks;
    char boot_id[BOOT_ID_MAX];
    uint64_t pid_namespace;
    int64_t started_boot_ms;
    struct string_list cgroups;
    struct wire_reply *reply; /* holds the one replica; NULL when it could not be decoded */
};

void record_done(struct record *r);

static inline void auto_record(struct record *r)
{
    record_done(r);
}

/* Everything behind the first line. `record` gives boot_id to cgroups. */
int record_prepare(const struct record *record, const struct wire_desired *desired,
                   struct strbuf *out, struct err *e);

/* Writes, syncs and renames into place "record" in the folder. Async-signal-safe. 0 or -errno. */
int record_write(int folder_fd, pid_t pid, uint64_t start_ticks, const void *rest, size_t n);

/* -ENOENT when there is none; -EBADMSG when it is not what is written above. A desired state that
 * cannot be decoded leaves `reply` NULL and is no error. */
int record_read(const char *path, struct record *ret_record, struct err *e);

#endif
