/* An HAProxy of our own: started when it is gone, replaced when its configuration is another, never
 * ended. A process that was replaced goes on with its requests, unseen by the Runtime API, for as
 * long as they take. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/front_door_private.h"
#include "proto/base/file.h"

#define PAUSE_FIRST_MS 500
#define PAUSE_MAX_MS 30000

int door_run_prepare(struct front_door *d, struct err *e)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    haproxy_config_write(&d->config, &text);
    return file_replace(d->path.config, strbuf_text(&text), text.length, 0600, e);
}

/* --- processes that were replaced ---------------------------------------------------------------
 */

/* Whoever runs our configuration and is not the one that answers. */
static void find_old(struct front_door *d)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;

    d->n_old = 0;
    while (proc && (entry = readdir(proc)) && d->n_old < DOOR_OLD_MAX) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (pid > 0 && pid != (pid_t)d->pid && haproxy_runs(pid, d->path.config))
            d->old[d->n_old++] = pid;
    }
    if (proc)
        (void)closedir(proc);
}

bool door_run_old_serve(struct front_door *d)
{
    size_t n = 0;

    for (size_t i = 0; i < d->n_old; i++)
        if (haproxy_runs(d->old[i], d->path.config))
            d->old[n++] = d->old[i];
    d->n_old = n;
    return n > 0;
}

/* --- starting -----------------------------------------------------------------------------------
 */

static void on_started(void *data, int result, const char *said)
{
    struct front_door *d = data;
    struct err e = ERR_INIT;

    d->launch = NULL;
    if (result < 0) {
        (void)err_set(&e, result, "HAProxy did not start%s: %s",
                      result == -ETIMEDOUT ? " in time" : "", said[0] ? said : "it says nothing");
        door_note(d, TOPIC_START, true, e.text);
        d->launch_pause_ms = d->launch_pause_ms ? 2 * d->launch_pause_ms : PAUSE_FIRST_MS;
        if (d->launch_pause_ms > PAUSE_MAX_MS)
            d->launch_pause_ms = PAUSE_MAX_MS;
        d->launch_at_ms = loop_now_ms(d->loop) + d->launch_pause_ms;
        return;
    }
    door_note(d, TOPIC_START, false, NULL);
    if (d->note)
        d->note(d->data, false, "HAProxy was started");
    d->launch_pause_ms = 0;
    door_look_soon(d);
}

static void start(struct front_door *d, pid_t replaces, bool takeover)
{
    struct haproxy_start s = { .program = d->program,
                               .config = d->path.config,
                               .pid_file = d->path.pid_file,
                               .replaces = replaces,
                               .takeover = takeover ? d->path.socket : NULL };
    struct err e = ERR_INIT;
    int r;

    if (d->launch || loop_now_ms(d->loop) < d->launch_at_ms)
        return;
    r = door_run_prepare(d, &e);
    if (r == 0)
        r = haproxy_launch(d->loop, &s, on_started, d, &d->launch, &e);
    if (r < 0) {
        door_note(d, TOPIC_START, true, e.text);
        d->launch_at_ms = loop_now_ms(d->loop) + PAUSE_MAX_MS;
    }
}

void door_run_away(struct front_door *d, int error)
{
    pid_t pid = haproxy_read_pid(d->path.pid_file);
    bool lives = haproxy_runs(pid, d->path.config);

    /* Nobody listens: it is gone, or it was asked to finish. One that listens but does not answer
     * may still serve: it is left alone, unless it answers what our configuration would not. */
    if (error == -ECONNREFUSED || error == -ENOENT)
        start(d, lives ? pid : 0, false);
    else if (error == -EBADMSG && lives)
        start(d, pid, true);
}

static void on_end(void *data)
{
    door_look_soon(data);
}

void door_run_seen(struct front_door *d, bool new_process)
{
    if (new_process) {
        haproxy_watch_free(d->watch);
        d->watch = haproxy_watch(d->loop, (pid_t)d->pid, on_end, d);
        find_old(d);
    }
    if (strcmp(d->view->description, d->description) != 0)
        start(d, (pid_t)d->pid, true);
}
