/* The front door: options, wants and time. See front_door.h. */
#include "controller/substrate/front_door.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "controller/substrate/endpoints_file.h"
#include "controller/substrate/front_door_private.h"
#include "proto/base/array.h"
#include "proto/base/file.h"

#define LOOK_EVERY_MS 1000
#define LOOK_QUICKLY_MS                                                       \
    250 /* for a while after something was wanted: checks pass, servers empty \
         */
#define QUICK_FOR_MS 5000
#define SLOTS 64
#define SLOTS_MAX 4096
#define QUEUE_MS 60000
#define ANSWER_MS 600000
#define SOCKET_PATH_MAX 90 /* HAProxy binds it under a longer name first */
#define CONNECTIONS_MAX 20000
#define OTHER_FILES 256 /* descriptors of HAProxy that are no connections */
#define ROUTES_BYTES_MAX (4u << 20)

void door_note(struct front_door *d, enum door_topic topic, bool warning, const char *text)
{
    if (!text) {
        d->told[topic].text[0] = '\0';
        return;
    }
    if (strcmp(d->told[topic].text, text) == 0)
        return;
    (void)err_set(&d->told[topic], 0, "%s", text);
    if (d->note)
        d->note(d->data, warning, text);
}

/* --- options ------------------------------------------------------------------------------------
 */

static bool is_set(const char *text)
{
    return text && text[0];
}

/* Paths and addresses stand in HAProxy's configuration and in lines of commands. */
static bool plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "-_./:+@~[]*") == strlen(text);
}

static char *below(const char *folder, const char *name)
{
    struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b, "%s/%s", folder, name);
    return strbuf_take(&b);
}

static int check_path(const char *what, const char *path, struct err *e)
{
    if (path[0] != '/' || !plain(path))
        return err_set(e, -EINVAL,
                       "front door: %s \"%s\": expected an absolute path of letters, digits and "
                       "-_./:+@~",
                       what, path);
    return 0;
}

static int check_options(const struct front_door_options *o, struct err *e)
{
    int r = 0;

    if (o->run || is_set(o->socket))
        r = check_path("dir", is_set(o->dir) ? o->dir : "", e);
    if (r == 0 && is_set(o->socket))
        r = check_path("socket", o->socket, e);
    if (r < 0)
        return r;
    if (is_set(o->listen) && (!plain(o->listen) || !strchr(o->listen, ':')))
        return err_set(e, -EINVAL, "front door: listen \"%s\": expected address:port", o->listen);
    if (o->slots > SLOTS_MAX)
        return err_set(e, -EINVAL, "front door: at most %d slots", SLOTS_MAX);
    return 0;
}

static uint32_t connections_for_us(void)
{
    struct rlimit files;
    uint64_t most;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_max == RLIM_INFINITY)
        return CONNECTIONS_MAX;
    most = files.rlim_max > 2 * (rlim_t)OTHER_FILES ? (files.rlim_max - OTHER_FILES) / 2
                                                    : OTHER_FILES / 2;
    return most < CONNECTIONS_MAX ? (uint32_t)most : CONNECTIONS_MAX;
}

static void paths_for(const struct front_door_options *o, struct door_paths *p)
{
    const char *dir = is_set(o->dir) ? o->dir : "";

    p->config = below(dir, "haproxy.cfg");
    p->script = below(dir, "wait.lua");
    p->routes = below(dir, "models.map");
    p->probes = below(dir, "probes.map");
    p->pid_file = below(dir, "haproxy.pid");
    p->socket = !o->run && is_set(o->socket) ? xstrdup(o->socket) : below(dir, "haproxy.sock");
}

static void paths_done(struct door_paths *p)
{
    free(p->config);
    free(p->script);
    free(p->routes);
    free(p->probes);
    free(p->pid_file);
    free(p->socket);
}

static struct haproxy_config config_for(const struct front_door_options *o,
                                        const struct door_paths *p)
{
    return (struct haproxy_config){
        .listen = is_set(o->listen) ? o->listen : "127.0.0.1:8080",
        .socket = p->socket,
        .routes = p->routes,
        .probes = p->probes,
        .script = p->script,
        .own = o->run,
        .slots = o->slots ? o->slots : SLOTS,
        .connections = o->run ? connections_for_us() : 0,
        .queue_ms = o->queue_ms > 0 ? o->queue_ms : QUEUE_MS,
        .answer_ms = o->answer_ms > 0 ? o->answer_ms : ANSWER_MS,
    };
}

int front_door_config(const struct front_door_options *o, struct strbuf *out, struct err *e)
{
    struct haproxy_config config;
    struct door_paths paths;
    int r = check_options(o, e);

    if (r < 0)
        return r;
    if (!o->run && !is_set(o->socket))
        return err_set(e, -EINVAL, "front door: neither `run: true` nor a `socket` is configured");
    paths_for(o, &paths);
    config = config_for(o, &paths);
    haproxy_config_write(&config, out);
    paths_done(&paths);
    return 0;
}

/* --- files --------------------------------------------------------------------------------------
 */

void door_write_maps(struct front_door *d)
{
    AUTO(strbuf) struct strbuf routes = STRBUF_INIT;
    AUTO(strbuf) struct strbuf probes = STRBUF_INIT;
    struct err e = ERR_INIT;
    int r;

    door_wants_write_routes(d->wants, &routes);
    door_wants_write_probes(d->wants, &probes);
    r = file_replace(d->path.probes, strbuf_text(&probes), probes.length, 0600, &e);
    if (r == 0)
        r = file_replace(d->path.routes, strbuf_text(&routes), routes.length, 0600, &e);
    door_note(d, TOPIC_FILES, true, r < 0 ? e.text : NULL);
}

void door_write_endpoints(struct front_door *d)
{
    struct err e = ERR_INIT;
    char *text;
    int r;

    if (!d->endpoints_file || !d->wants->settled) /* half of them would be a lie */
        return;
    text = endpoints_file_text(d->wants, d->reached ? d->view : NULL);
    if (d->endpoints && strcmp(text, d->endpoints) == 0) {
        free(text);
        return;
    }
    r = file_replace(d->endpoints_file, text, strlen(text), 0644, &e);
    door_note(d, TOPIC_ENDPOINTS, true, r < 0 ? e.text : NULL);
    if (r < 0) {
        free(text); /* again at the next look */
        return;
    }
    free(d->endpoints);
    d->endpoints = text;
}

static int read_routes(struct front_door *d, struct err *e)
{
    AUTO(mem) char *text = NULL;
    struct err why = ERR_INIT;
    size_t n;
    int r = file_read(d->path.routes, ROUTES_BYTES_MAX, &text, &n, &why);

    if (r == -ENOENT) /* the first time here: no error, and no word of one */
        return 0;
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    door_wants_read_routes(d->wants, text);
    return 0;
}

static int make_if_missing(const char *path, struct err *e)
{
    struct stat st;

    return stat(path, &st) == 0 ? 0 : file_replace(path, "", 0, 0600, e);
}

static int prepare_files(struct front_door *d, const char *dir, struct err *e)
{
    int r;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_errno(e, -errno, "%s", dir);
    r = read_routes(d, e);
    if (r == 0)
        r = make_if_missing(d->path.routes, e);
    if (r == 0)
        r = make_if_missing(d->path.probes, e);
    if (r == 0)
        r = file_replace(d->path.script, haproxy_config_script(), strlen(haproxy_config_script()),
                         0600, e);
    if (r == 0)
        r = door_run_prepare(d, e);
    return r;
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void on_time(void *data, int64_t now_ms)
{
    struct front_door *d = data;

    loop_timer_arm(d->timer,
                   now_ms + (now_ms < d->quick_until_ms ? LOOK_QUICKLY_MS : LOOK_EVERY_MS));
    if (d->busy)
        return;
    d->due = false;
    if (d->has_haproxy)
        door_look(d);
    else
        door_write_endpoints(d);
}

void door_look_soon(struct front_door *d)
{
    d->due = true;
    if (!d->busy)
        loop_timer_arm(d->timer, loop_now_ms(d->loop));
}

void door_look_done(struct front_door *d)
{
    d->busy = d->changed = false;
    if (d->due)
        loop_timer_arm(d->timer, loop_now_ms(d->loop));
}

/* --- life ---------------------------------------------------------------------------------------
 */

static int take_options(struct front_door *d, const struct front_door_options *o, struct err *e)
{
    const char *program = is_set(o->program) ? o->program : "haproxy";

    d->run = o->run;
    d->has_haproxy = o->run || is_set(o->socket);
    d->listen = xstrdup(is_set(o->listen) ? o->listen : "127.0.0.1:8080");
    d->endpoints_file = is_set(o->endpoints_file) ? xstrdup(o->endpoints_file) : NULL;
    paths_for(o, &d->path);
    d->config = config_for(o, &d->path);
    d->config.listen = d->listen;
    d->epoch = o->seed;
    d->wants = door_wants_new(d->config.slots);
    haproxy_config_description(&d->config, d->description);
    if (strlen(d->path.socket) > SOCKET_PATH_MAX)
        return err_set(e, -ENAMETOOLONG, "front door: %s is too long for a socket", d->path.socket);
    if (d->run && !(d->program = haproxy_find_program(program)))
        return err_set(e, -ENOENT,
                       "front door: no program \"%s\": install HAProxy (apt install "
                       "haproxy), or set frontDoor.program",
                       program);
    return 0;
}

int front_door_new(struct loop *l, const struct front_door_options *o, front_door_facts_fn *facts,
                   front_door_note_fn *note, void *data, struct front_door **ret_door,
                   struct err *e)
{
    AUTO(front_door) struct front_door *d = NULL;
    int r = check_options(o, e);

    if (r < 0)
        return r;
    d = xcalloc(1, sizeof(*d));
    d->loop = l;
    d->facts = facts;
    d->note = note;
    d->data = data;
    r = take_options(d, o, e);
    if (r == 0 && d->has_haproxy)
        r = prepare_files(d, o->dir, e);
    if (r < 0)
        return r;
    d->timer = loop_timer_add(l, on_time, d);
    door_look_soon(d);
    *ret_door = TAKE(d);
    return 0;
}

void front_door_free(struct front_door *d)
{
    if (!d)
        return;
    haproxy_call_cancel(d->call);
    haproxy_call_cancel(d->requests);
    haproxy_watch_free(d->watch);
    haproxy_launch_free(d->launch);
    loop_timer_remove(d->timer);
    haproxy_view_free(d->view);
    door_wants_free(d->wants);
    strbuf_done(&d->script);
    paths_done(&d->path);
    free(d->listen);
    free(d->program);
    free(d->endpoints_file);
    free(d->endpoints);
    free(d);
}

void front_door_want(struct front_door *d, const struct effect *effect)
{
    struct err e = ERR_INIT;
    int r = door_wants_take(d->wants, effect, &e);

    if (r < 0 && d->note)
        d->note(d->data, true, e.text);
    d->quick_until_ms = loop_now_ms(d->loop) + QUICK_FOR_MS;
    door_look_soon(d);
}

void front_door_settle(struct front_door *d)
{
    door_wants_settle(d->wants);
    d->quick_until_ms = loop_now_ms(d->loop) + QUICK_FOR_MS;
    door_look_soon(d);
}

bool front_door_reached(const struct front_door *d)
{
    return d->reached || !d->has_haproxy;
}
