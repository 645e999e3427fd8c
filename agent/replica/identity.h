/* Who a pid is: a number that the kernel gives again to others, made sure by start time, boot id
 * and pid namespace. */
#ifndef HUDDLE_REPLICA_IDENTITY_H
#define HUDDLE_REPLICA_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_stat { /* of /proc/PID/stat */
    char state;       /* 'Z' and 'X': it has ended */
    int64_t group, session;
    uint64_t start_ticks; /* since boot */
};

/* Takes any text. Async-signal-safe: it runs between fork and exec as well. */
int process_stat_parse(const char *text, struct process_stat *ret_stat);

/* -ENOENT or -ESRCH when there is no such process. */
int process_stat_read(const char *proc_root, pid_t pid, struct process_stat *ret_stat);

/* Opens a pidfd for the process if it lives and has this start time. -ESRCH: it is gone; any other
 * -errno: whether it lives is not known (no descriptor left), or it lives and may not be signalled
 * (-EPERM). The check comes after the opening: what the descriptor stands for is what was checked.
 */
int identity_open(const char *proc_root, pid_t pid, uint64_t start_ticks);

#define BOOT_ID_MAX 64

/* The boot id of the running kernel, and the number of our pid namespace. */
int identity_boot_id(const char *proc_root, char boot_id[BOOT_ID_MAX]);
uint64_t identity_pid_namespace(const char *proc_root);

/* Kills what the replica `uid` has left behind in the process group of its leader, which has ended:
 * every process of that group and session whose environment names the replica. Returns how many
 * were of the group but could not be recognised and so were left alone. */
unsigned identity_kill_group(const char *proc_root, pid_t leader, const char *uid);

#endif
