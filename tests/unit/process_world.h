/* An agent's processes for the tests of them: a folder of its own, a loop that waits for an exit,
 * and the state of the last exit and the last find. */
#ifndef HUDDLE_PROCESS_WORLD_H
#define HUDDLE_PROCESS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/replica/identity.h"
#include "agent/replica/process.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "tests/unit/skip.h"

#define PATIENCE_MS 30000

struct told { /* of the last exit */
    int times;
    struct process_exit exit;
    char uid[64], text[512], tail[2048];
};

struct found {
    int times;
    bool alive;
    int64_t pid;
    uint32_t port;
    char uid[64], why[512];
};

struct world {
    const char *test; /* its name */
    char root[64];
    struct loop *l;
    struct loop_timer *patience;
    struct processes *p;
    struct processes_options options;
    struct told told;
    struct found found;
    struct err e;
};

/* --- the world ---------------------------------------------------------------------------------
 */

static inline void on_patience(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    loop_stop(w->l, -1);
}

static inline void on_exit_told(void *data, const char *uid, const struct process_exit *exit)
{
    struct world *w = data;

    w->told.times++;
    w->told.exit = *exit;
    (void)snprintf(w->told.uid, sizeof(w->told.uid), "%s", uid);
    (void)snprintf(w->told.text, sizeof(w->told.text), "%s", exit->text);
    (void)snprintf(w->told.tail, sizeof(w->told.tail), "%s", exit->tail);
    loop_stop(w->l, 0);
}

static inline void on_found(void *data, const struct process_found *found)
{
    struct world *w = data;

    w->found.times++;
    w->found.alive = found->alive;
    w->found.pid = found->pid;
    w->found.port = found->desired ? found->desired->port : 0;
    (void)snprintf(w->found.uid, sizeof(w->found.uid), "%s", found->uid);
    (void)snprintf(w->found.why, sizeof(w->found.why), "%s", found->why);
}

/* loop_stop() holds for good: each wait has a loop of its own. */
static inline void open_agent(struct world *w)
{
    assert_int_equal(loop_new(&w->l, &w->e), 0);
    w->patience = loop_timer_add(w->l, on_patience, w);
    w->options.loop = w->l;
    w->options.state_dir = w->root;
    if (processes_new(&w->options, on_exit_told, w, &w->p, &w->e) < 0)
        fail_msg("%s", w->e.text);
}

static inline void close_agent(struct world *w)
{
    processes_free(TAKE(w->p));
    loop_timer_remove(w->patience);
    loop_free(TAKE(w->l));
}

static inline int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    w->test = *state;
    (void)snprintf(w->root, sizeof(w->root), "/tmp/huddle-process-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    w->options.cgroup_parent = "none";
    *state = w;
    return 0;
}

static inline int tear_down(void **state)
{
    struct world *w = *state;
    char command[128];

    if (w->p)
        close_agent(w);
    (void)snprintf(command, sizeof(command), "rm -rf %s", w->root);
    assert_int_equal(system(command), 0);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    free(w);
    return 0;
}

static inline void path_of(const struct world *w, const char *uid, const char *file, char path[256])
{
    (void)snprintf(path, 256, "%s/replicas/%s%s%s", w->root, uid, file ? "/" : "",
                   file ? file : "");
}

static inline int start(struct world *w, const char *uid, const char *script, const char *user,
                        int64_t *ret_pid)
{
    struct wire_desired d = { .uid = uid,
                              .model = "m",
                              .runtime = "sh",
                              .port = 4711,
                              .metrics_path = "",
                              .metrics_preset = "",
                              .readiness.path = "",
                              .generation = 5 };
    AUTO(launch) struct launch launch = { 0 };

    launch_argument(&launch, "/bin/sh");
    launch_argument(&launch, "-c");
    launch_argument(&launch, script);
    launch_variable(&launch, "PATH", "/usr/bin:/bin");
    launch_variable(&launch, "HUDDLE_REPLICA", uid);
    assert_int_equal(launch_user(&launch, user, &w->e), 0);
    return process_start(w->p, &d, &launch, ret_pid, &w->e);
}

static inline void start_or_fail(struct world *w, const char *uid, const char *script,
                                 int64_t *ret_pid)
{
    if (start(w, uid, script, "", ret_pid) < 0)
        fail_msg("%s", w->e.text);
}

static inline void wait_for_exit(struct world *w)
{
    loop_timer_arm(w->patience, clock_boot_ms() + PATIENCE_MS);
    if (loop_run(w->l) < 0)
        fail_msg("no exit was told");
}

static inline void run(struct world *w, const char *script)
{
    open_agent(w);
    start_or_fail(w, "m-1", script, NULL);
    wait_for_exit(w);
}

static inline void nap(void)
{
    (void)nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
}

#define assert_says(text, part)                                      \
    do {                                                             \
        if (!strstr((text), (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (text), (part)); \
    } while (0)

#define wait_until(condition)                                  \
    do {                                                       \
        int64_t until_ms_ = clock_boot_ms() + PATIENCE_MS;     \
        while (!(condition)) {                                 \
            if (clock_boot_ms() > until_ms_)                   \
                fail_msg("waited in vain for %s", #condition); \
            nap();                                             \
        }                                                      \
    } while (0)

static inline bool lives(int64_t pid)
{
    struct process_stat st;

    return process_stat_read("/proc", (pid_t)pid, &st) == 0 && st.state != 'Z';
}

static inline bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static inline int64_t number_in(const char *path)
{
    FILE *f = fopen(path, "r");
    long long n = 0;

    if (f) {
        if (fscanf(f, "%lld", &n) != 1)
            n = 0;
        (void)fclose(f);
    }
    return n;
}

static inline uint64_t log_bytes(const struct world *w, const char *uid)
{
    static const char *const names[] = { "log", "log.1" };
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[256];
        struct stat st;

        path_of(w, uid, names[i], path);
        if (stat(path, &st) == 0)
            sum += (uint64_t)st.st_size;
    }
    return sum;
}

#define TEST(f) cmocka_unit_test_prestate_setup_teardown(f, set_up, tear_down, (void *)#f)

#endif
