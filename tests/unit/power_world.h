/* A power driver for the tests of them: a shell script in a folder of its own, the queue that calls
 * it, and the last answer. */
#ifndef HUDDLE_POWER_WORLD_H
#define HUDDLE_POWER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/power/power.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"

#define PATH_LONG 256
#define LONG_MS 60000 /* the deadline of calls whose deadline is not the point */

struct told {
    char node[64];
    enum power_action action;
    enum power_outcome outcome;
    enum power_reading reading;
    double watts;
    char message[1024];
    struct strbuf log;
};

struct world {
    char folder[64];
    struct loop *l;
    struct power *p;
    struct power_pool pool;
    char program[PATH_LONG];
    char *allowed[1];
    struct string_list list; /* of the folders */
    struct power_folders folders;
    struct string_pair settings[4], secrets[4];
    struct told told; /* the last */
    size_t waiting, n_busy, n_accepted;
    struct loop_timer *watch; /* looks for something every 10 ms */
    bool (*look)(struct world *w);
};

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static const char *in(const struct world *w, const char *name, char path[PATH_LONG])
{
    snprintf(path, PATH_LONG, "%s/%s", w->folder, name);
    return path;
}

static inline void write_file(const struct world *w, const char *name, mode_t mode,
                              const char *text)
{
    char path[PATH_LONG];
    int fd;

    in(w, name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* What a driver wrote into a file of the folder; "" when there is none. */
static const char *read_file(const struct world *w, const char *name, char text[8192])
{
    char path[PATH_LONG];
    int fd = open(in(w, name, path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, 8191) : 0;

    if (fd >= 0)
        (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline size_t count_files(const struct world *w, const char *prefix)
{
    DIR *dir = opendir(w->folder);
    struct dirent *d;
    size_t n = 0;

    assert_non_null(dir);
    while ((d = readdir(dir)))
        n += strncmp(d->d_name, prefix, strlen(prefix)) == 0;
    (void)closedir(dir);
    return n;
}

/* "cd FOLDER" comes first: drivers are started in /. */
static inline void write_driver(struct world *w, const char *body)
{
    struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "#!/bin/sh\ncd %s || exit 99\n%s\n", w->folder, body);
    write_file(w, "driver", 0755, strbuf_text(&text));
    strbuf_done(&text);
}

static inline void world_init(struct world *w, const char *body)
{
    *w = (struct world){ .folder = "/tmp/huddle-power-XXXXXX" };
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(chmod(w->folder, 0755), 0);
    assert_int_equal(loop_new(&w->l, NULL), 0);
    assert_int_equal(power_new(w->l, &w->folders, &w->p, NULL), 0);
    w->allowed[0] = w->folder;
    w->list = (struct string_list){ w->allowed, 1 };
    w->folders = (struct power_folders){ &w->list, &w->list, &w->list };
    in(w, "driver", w->program);
    w->pool.driver.type = (char *)"exec";
    w->pool.driver.program = w->program;
    w->pool.driver.settings.pair = w->settings;
    w->pool.driver.secrets.pair = w->secrets;
    if (body)
        write_driver(w, body);
}

static inline void world_done(struct world *w)
{
    power_free(w->p);
    loop_timer_remove(w->watch);
    loop_free(w->l);
    strbuf_done(&w->told.log);
    assert_int_equal(nftw(w->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void set(struct string_map *m, const char *key, const char *value)
{
    m->pair[m->n++] = (struct string_pair){ (char *)key, (char *)value };
}

static inline void on_answer(void *data, const struct power_answer *a)
{
    struct world *w = data;
    struct told *t = &w->told;

    snprintf(t->node, sizeof(t->node), "%s", a->node);
    t->action = a->action;
    t->outcome = a->outcome;
    t->reading = a->reading;
    t->watts = a->watts;
    snprintf(t->message, sizeof(t->message), "%s", a->message);
    strbuf_clear(&t->log);
    strbuf_puts(&t->log, a->log);
    assert_true(a->reading == POWER_UNKNOWN || a->outcome == POWER_DONE);
    w->n_busy += a->outcome == POWER_BUSY;
    w->n_accepted += a->outcome == POWER_ACCEPTED;
    if (--w->waiting == 0)
        loop_stop(w->l, 0);
}

static inline void call_for(struct world *w, const char *node, enum power_action action,
                            int64_t limit_ms)
{
    char json[512];
    const struct power_request r = {
        .node = node,
        .op = "0123abcd",
        .action = action,
        .attempt = 3,
        .pool = &w->pool,
        .node_json = json,
        .deadline_ms = clock_boot_ms() + limit_ms,
    };

    snprintf(json, sizeof(json),
             "{\"name\":\"%s\",\"uid\":\"u-%s\",\"mac\":[\"02:00:00:00:00:01\"],\"labels\":{}}",
             node, node);
    w->waiting++;
    power_call(w->p, &r, on_answer, w);
}

static inline void wait_all(struct world *w)
{
    while (w->waiting > 0)
        assert_int_equal(loop_run(w->l), 0);
}

static inline void ask(struct world *w, enum power_action action)
{
    call_for(w, "a1", action, LONG_MS);
    wait_all(w);
}

static inline void on_watch(void *data, int64_t now_ms)
{
    struct world *w = data;

    if (w->look(w))
        loop_stop(w->l, 0);
    else
        loop_timer_arm(w->watch, now_ms + 10);
}

/* Runs the loop until `look` has found what it looks for. */
static inline void wait_for(struct world *w, bool (*look)(struct world *w))
{
    w->look = look;
    if (!w->watch)
        w->watch = loop_timer_add(w->l, on_watch, w);
    loop_timer_arm(w->watch, clock_boot_ms());
    assert_int_equal(loop_run(w->l), 0);
}

#endif
