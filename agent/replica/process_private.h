/* The inside of process.h, shared by start and end (process.c), adoption (process_adopt.c) and the
 * folders (process_folder.c). */
#ifndef HUDDLE_REPLICA_PROCESS_PRIVATE_H
#define HUDDLE_REPLICA_PROCESS_PRIVATE_H

#include <sys/types.h>

#include "agent/replica/identity.h"
#include "agent/replica/process.h"
#include "agent/replica/replica_cgroup.h"
#include "proto/field.h"

#define FOLDER_MAX 1024

struct process {
    struct processes *owner;
    char *uid;
    pid_t pid;
    bool child;    /* ours to wait for; else adopted */
    pid_t copier;  /* of its log, if that is our child; else 0 */
    int pidfd;     /* -1 once it has ended */
    int status_fd; /* for spawn_status(); -1 when adopted */
    struct loop_io *io;
    char *program; /* for messages */
    struct string_list cgroups;
    uint64_t port_inode; /* of a listening socket that was found to be its own; 0: none */
    /* between the end of the leader and that of all it left behind */
    struct loop_timer *end_timer;
    int64_t give_up_ms;
    struct process_exit exit;
    struct err text;
};

struct processes {
    struct loop *loop;
    char *folder, *proc_root;
    int lock_fd;
    char boot_id[BOOT_ID_MAX];
    uint64_t pid_namespace, log_bytes;
    unsigned ended_kept;
    struct cgroup_home home;
    process_exit_fn *fn;
    void *data;
    struct process **items;
    size_t n_items, cap_items;
    struct stray { /* copiers of ours that outlived their replica */
        pid_t pid;
    } * strays;
    size_t n_strays, cap_strays;
};

struct process *process_find(const struct processes *p, const char *uid);

/* Watches what `pr` says; takes over pr, also on failure. */
int process_watch(struct processes *p, struct process *pr, struct err *e);
void process_free(struct process *pr);

/* Letters, digits, ".", "_" and "-", not beginning with ".": safe as the name of a file. */
bool process_uid_valid(const char *uid);

/* STATE/replicas/UID[/FILE] */
void process_path(const struct processes *p, const char *uid, const char *file,
                  char path[FOLDER_MAX]);

/* Removes the folders of the replicas that ended first, but for the newest `ended_kept`. */
void process_prune(struct processes *p);

#endif
