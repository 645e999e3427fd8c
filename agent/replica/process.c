/* Start, watch and end of the replicas' processes: see process.h. */
#include "agent/replica/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/replica/log_copier.h"
#include "agent/replica/process_private.h"
#include "agent/replica/record.h"
#include "agent/replica/spawn.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"

#define LOG_BYTES (8u << 20)
#define ENDED_KEPT 32
#define LOCK_WAIT_MS 10000
#define LOCK_POLL_NS 20000000
#define END_POLL_MS 10
#define END_MOST_MS 2000 /* for what a replica left behind */
#define TAIL_LINES 8
#define TAIL_BYTES 1500

/* --- all of them -------------------------------------------------------------------------------
 */

/* Another agent, or a child of one that is not yet its program, may hold it for a moment. */
static int take_lock(struct processes *p, struct err *e)
{
    static const struct timespec pause = { 0, LOCK_POLL_NS };
    int64_t until_ms = clock_boot_ms() + LOCK_WAIT_MS;
    char path[FOLDER_MAX];

    (void)snprintf(path, sizeof(path), "%s/lock", p->folder);
    p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->lock_fd < 0)
        return err_errno(e, -errno, "%s", path);
    while (flock(p->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_errno(e, -errno, "%s", path);
        if (clock_boot_ms() >= until_ms)
            return err_set(e, -EBUSY, "%s: another agent runs on this state directory", path);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

int processes_new(const struct processes_options *options, process_exit_fn *fn, void *data,
                  struct processes **ret_processes, struct err *e)
{
    AUTO(processes) struct processes *p = xcalloc(1, sizeof(*p));
    AUTO(strbuf) struct strbuf folder = STRBUF_INIT;
    int r;

    strbuf_printf(&folder, "%s/replicas", options->state_dir);
    p->loop = options->loop;
    p->lock_fd = -1;
    p->folder = strbuf_take(&folder);
    p->proc_root = xstrdup(options->proc_root ? options->proc_root : "/proc");
    p->log_bytes = options->log_bytes ? options->log_bytes : LOG_BYTES;
    p->ended_kept = options->ended_kept ? options->ended_kept : ENDED_KEPT;
    p->fn = fn;
    p->data = data;
    if (strlen(p->folder) > FOLDER_MAX / 2)
        return err_set(e, -ENAMETOOLONG, "%s: longer than %d bytes", p->folder, FOLDER_MAX / 2);
    if (mkdir(p->folder, 0700) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "%s", p->folder);
    r = identity_boot_id(p->proc_root, p->boot_id);
    if (r < 0)
        return err_errno(e, r, "%s/sys/kernel/random/boot_id", p->proc_root);
    p->pid_namespace = identity_pid_namespace(p->proc_root);
    r = take_lock(p, e);
    if (r < 0)
        return r;
    cgroup_home_init(&p->home, options->cgroup_root ? options->cgroup_root : "/sys/fs/cgroup",
                     p->proc_root, options->cgroup_parent ? options->cgroup_parent : "huddle");
    p->home.share_only = options->cpu_share_only;
    *ret_processes = TAKE(p);
    return 0;
}

void processes_free(struct processes *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_items; i++)
        process_free(p->items[i]);
    free(p->items);
    free(p->strays);
    cgroup_home_done(&p->home);
    if (p->lock_fd >= 0)
        (void)close(p->lock_fd);
    free(p->folder);
    free(p->proc_root);
    free(p);
}

const char *processes_problem(const struct processes *p)
{
    return p->home.problem;
}

struct process *process_find(const struct processes *p, const char *uid)
{
    for (size_t i = 0; i < p->n_items; i++)
        if (strcmp(p->items[i]->uid, uid) == 0)
            return p->items[i];
    return NULL;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void process_free(struct process *pr)
{
    loop_io_remove(pr->io);
    loop_timer_remove(pr->end_timer);
    close_fd(&pr->pidfd);
    close_fd(&pr->status_fd);
    string_list_done(&pr->cgroups);
    free(pr->program);
    free(pr->uid);
    free(pr);
}

/* --- its end -----------------------------------------------------------------------------------
 */

static void reap_strays(struct processes *p)
{
    for (size_t i = p->n_strays; i-- > 0;)
        if (waitpid(p->strays[i].pid, NULL, WNOHANG) != 0)
            ARRAY_REMOVE_SWAP(p, strays, i);
}

/* All told, and nothing of it is left: forget it, then tell. */
static void finish(struct process *pr)
{
    struct processes *p = pr->owner;
    AUTO(strbuf) struct strbuf tail = STRBUF_INIT;
    char path[FOLDER_MAX];

    process_path(p, pr->uid, "record", path);
    (void)unlink(path);
    if (pr->copier)
        *ARRAY_ADD(p, strays) = (struct stray){ pr->copier };
    reap_strays(p);
    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i] == pr)
            ARRAY_REMOVE_SWAP(p, items, i);
    process_log_tail(p, pr->uid, TAIL_LINES, TAIL_BYTES, &tail);
    process_prune(p);
    pr->exit.text = pr->text.text;
    pr->exit.tail = strbuf_text(&tail);
    p->fn(p->data, pr->uid, &pr->exit);
    process_free(pr);
}

static bool log_is_complete(struct process *pr)
{
    char folder[FOLDER_MAX];

    if (!pr->copier) {
        process_path(pr->owner, pr->uid, NULL, folder);
        return log_copier_done(folder);
    }
    if (waitpid(pr->copier, NULL, WNOHANG) == 0)
        return false;
    pr->copier = 0;
    return true;
}

/* The leader has ended; its cgroup and its log do so soon. */
static void on_end_timer(void *data, int64_t now_ms)
{
    struct process *pr = data;
    bool complete = log_is_complete(pr), empty = replica_cgroup_remove(&pr->cgroups) == 0;

    if ((complete && empty) || now_ms >= pr->give_up_ms) {
        finish(pr);
        return;
    }
    if (!empty)
        replica_cgroup_kill(&pr->cgroups); /* what was born while the others died */
    loop_timer_arm(pr->end_timer, now_ms + END_POLL_MS);
}

static void describe(struct process *pr, const siginfo_t *info)
{
    struct process_exit *x = &pr->exit;
    bool by_signal = info->si_code != CLD_EXITED;

    x->known = true;
    x->code = by_signal ? -1 : info->si_status;
    x->signal = by_signal ? info->si_status : 0;
    if (!by_signal) {
        (void)err_set(&pr->text, 0, "exited with code %d", x->code);
    } else if (x->signal == SIGKILL && replica_cgroup_out_of_memory(&pr->cgroups)) {
        (void)err_set(&pr->text, 0, "killed by the kernel: it needed more memory than its limit");
    } else {
        const char *name = sigabbrev_np(x->signal);

        (void)err_set(&pr->text, 0, "killed by signal %d (%s%s)", x->signal, name ? "SIG" : "",
                      name ? name : "unknown");
    }
}

/* Until it is waited for, a child holds its pid: the group of that number can be no other's. */
static void end_child(struct process *pr)
{
    struct launch launch = { .argv = &pr->program };
    siginfo_t info = { 0 };
    struct err why = ERR_INIT;

    (void)kill(-pr->pid, SIGKILL);
    if (waitid(P_PID, (id_t)pr->pid, &info, WEXITED) == 0)
        describe(pr, &info);
    else
        (void)err_set(&pr->text, 0, "ended; its exit status was lost");
    if (spawn_status(pr->status_fd, &launch, &why) < 0) {
        pr->exit.never_ran = true;
        pr->text = why;
    }
}

static void end_adopted(struct process *pr)
{
    unsigned strangers = identity_kill_group(pr->owner->proc_root, pr->pid, pr->uid);

    pr->exit.code = -1;
    (void)err_set(&pr->text, 0, "ended; how is not known, since an earlier agent had started it%s",
                  strangers ? "; processes of its group that could not be recognised run on" : "");
}

static void on_leader_ended(void *data, int fd, unsigned events)
{
    struct process *pr = data;

    (void)fd;
    (void)events;
    loop_io_remove(pr->io);
    pr->io = NULL;
    close_fd(&pr->pidfd);
    if (pr->child)
        end_child(pr);
    else
        end_adopted(pr);
    replica_cgroup_kill(&pr->cgroups);
    pr->give_up_ms = loop_now_ms(pr->owner->loop) + END_MOST_MS;
    pr->end_timer = loop_timer_add(pr->owner->loop, on_end_timer, pr);
    loop_timer_arm(pr->end_timer, loop_now_ms(pr->owner->loop));
}

/* --- its start ---------------------------------------------------------------------------------
 */

int process_watch(struct processes *p, struct process *pr, struct err *e)
{
    int r;

    pr->owner = p;
    pr->exit.pid = pr->pid;
    r = loop_io_add(p->loop, pr->pidfd, LOOP_READ, on_leader_ended, pr, &pr->io);
    if (r < 0) {
        if (pr->child) { /* what cannot be watched must not run */
            (void)pidfd_send_signal(pr->pidfd, SIGKILL, NULL, 0);
            (void)waitid(P_PID, (id_t)pr->pid, &(siginfo_t){ 0 }, WEXITED);
        }
        if (pr->copier)
            *ARRAY_ADD(p, strays) = (struct stray){ pr->copier };
        process_free(pr);
        return err_errno(e, r, "cannot watch a process");
    }
    *(struct process **)ARRAY_ADD(p, items) = pr;
    return 0;
}

struct recording { /* what the child needs to write its record */
    char stat_path[FOLDER_MAX];
    int folder_fd;
    const char *rest;
    size_t n;
};

static int write_record(const void *data)
{
    const struct recording *rec = data;
    char text[1024];
    struct process_stat st;
    int fd = open(rec->stat_path, O_RDONLY | O_CLOEXEC), r;
    ssize_t n;

    if (fd < 0)
        return -errno;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n < 0)
        return -errno;
    text[n] = '\0';
    r = process_stat_parse(text, &st);
    return r < 0 ? r : record_write(rec->folder_fd, getpid(), st.start_ticks, rec->rest, rec->n);
}

struct starting {
    struct processes *p;
    const struct wire_desired *desired;
    const struct launch *launch;
    char folder[FOLDER_MAX];
    struct replica_cgroup cgroup;
    struct spawned spawned;
    pid_t copier;
};

/* Copier first, then the replica: whatever fails in between closes the pipe, which ends the copier.
 */
static int fork_both(struct starting *s, const struct strbuf *record, struct err *e)
{
    struct recording rec = { .rest = record->data, .n = record->length };
    AUTO(fd) int folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO(fd) int output_fd = -1;
    struct spawn how = { .launch = s->launch,
                         .procs_fds = s->cgroup.procs_fds,
                         .n_procs_fds = s->cgroup.n_fds,
                         .before = write_record,
                         .before_data = &rec };
    int r;

    if (folder_fd < 0)
        return err_errno(e, -errno, "%s", s->folder);
    (void)snprintf(rec.stat_path, sizeof(rec.stat_path), "%s/self/stat", s->p->proc_root);
    rec.folder_fd = folder_fd;
    r = log_copier_start(s->folder, s->p->log_bytes, &s->copier, &output_fd, e);
    if (r < 0)
        return r;
    how.output_fd = output_fd;
    r = spawn(&how, &s->spawned, e);
    if (r < 0)
        *ARRAY_ADD(s->p, strays) = (struct stray){ s->copier };
    return r;
}

static int start(struct starting *s, struct err *e)
{
    struct record record = { .pid_namespace = s->p->pid_namespace,
                             .started_boot_ms = clock_boot_ms(),
                             .cgroups = s->cgroup.folders };
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    struct process *pr;
    int r;

    memcpy(record.boot_id, s->p->boot_id, sizeof(record.boot_id));
    r = record_prepare(&record, s->desired, &bytes, e);
    if (r == 0)
        r = fork_both(s, &bytes, e);
    if (r < 0)
        return r;
    pr = xcalloc(1, sizeof(*pr));
    *pr = (struct process){ .uid = xstrdup(s->desired->uid),
                            .pid = s->spawned.pid,
                            .child = true,
                            .copier = s->copier,
                            .pidfd = s->spawned.pidfd,
                            .status_fd = s->spawned.status_fd,
                            .program = xstrdup(s->launch->argv[0]),
                            .cgroups = s->cgroup.folders };
    s->cgroup.folders = (struct string_list){ 0 };
    return process_watch(s->p, pr, e);
}

int process_start(struct processes *p, const struct wire_desired *desired,
                  const struct launch *launch, int64_t *ret_pid, struct err *e)
{
    struct starting s = { .p = p, .desired = desired, .launch = launch };
    int r;

    if (!process_uid_valid(desired->uid))
        return err_set(e, -EINVAL, "uid \"%.64s\": expected letters, digits, \".\", \"_\", \"-\"",
                       desired->uid);
    if (process_find(p, desired->uid))
        return err_set(e, -EBUSY, "%s: runs already", desired->uid);
    reap_strays(p);
    process_path(p, desired->uid, NULL, s.folder);
    if (mkdir(s.folder, 0700) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "%s", s.folder);
    r = replica_cgroup_make(&p->home, desired->uid, launch->cpu_milli, launch->memory_bytes,
                            &s.cgroup, e);
    if (r < 0)
        return r;
    r = start(&s, e);
    if (r < 0)
        (void)replica_cgroup_remove(&s.cgroup.folders);
    replica_cgroup_done(&s.cgroup);
    if (r == 0 && ret_pid)
        *ret_pid = s.spawned.pid;
    return r;
}

/* --- while it runs -----------------------------------------------------------------------------
 */

int process_signal(struct processes *p, const char *uid, int signal)
{
    struct process *pr = process_find(p, uid);

    if (!pr || pr->pidfd < 0)
        return -ESRCH;
    if (signal == SIGKILL)
        replica_cgroup_kill(&pr->cgroups);
    return pidfd_send_signal(pr->pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

size_t processes_count(const struct processes *p)
{
    return p->n_items;
}

struct process_use processes_use(const struct processes *p, size_t i)
{
    const struct process *pr = p->items[i];

    return (struct process_use){ .uid = pr->uid,
                                 .pid = pr->pidfd >= 0 ? pr->pid : 0,
                                 .cgroups = &pr->cgroups };
}
