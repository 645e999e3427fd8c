/* From a desired replica to the command that runs it: see runtimes.h. Everything that comes from
 * the wire is checked here against what the node's own files allow. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/replica/runtimes.h"
#include "agent/replica/runtimes_private.h"
#include "proto/base/array.h"
#include "proto/base/guess.h"
#include "proto/base/strbuf.h"

#define PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* The one of `words` that was probably meant, or NULL. */
static const char *nearest(const char *given, const char *const *words, size_t n)
{
    struct guess guess = guess_begin(given);
    size_t length;

    for (size_t i = 0; i < n; i++)
        guess_consider(&guess, words[i], strlen(words[i]));
    return guess_word(&guess, &length);
}

static int unknown_runtime(const struct runtimes *r, const char *name, struct err *e)
{
    AUTO(strbuf) struct strbuf known = STRBUF_INIT;
    const char *near = nearest(name, r->names, r->n_runtimes);

    if (near)
        return err_set(e, -ENOENT,
                       "runtime \"%.64s\" is not known on this node; did you mean "
                       "\"%s\"?",
                       name, near);
    for (size_t i = 0; i < r->n_runtimes; i++)
        strbuf_printf(&known, "%s%s", i ? ", " : "", r->names[i]);
    return err_set(e, -ENOENT, "runtime \"%.64s\" is not known on this node; known are: %s", name,
                   known.length ? strbuf_text(&known) : "none (its runtimes.d is empty)");
}

static const struct runtime *find_runtime(const struct runtimes *r, const char *name)
{
    ARRAY_FOREACH(rt, r, runtimes) {
        if (strcmp(rt->name, name) == 0)
            return rt;
    }
    return NULL;
}

bool runtimes_port_is_proxied(const struct runtimes *r, const struct wire_desired *desired)
{
    const struct runtime *rt = find_runtime(r, desired->runtime);

    return rt && rt->port.proxied;
}

/* --- arguments ---------------------------------------------------------------------------------
 */

static const struct wire_pair *find_pair(const struct wire_pair *pairs, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return &pairs[i];
    return NULL;
}

/* Refuses an argument that the runtime does not have. */
static int check_known(const struct runtime *rt, const char *name, struct err *e)
{
    AUTO(mem) const char **known = xcalloc(rt->n_arguments, sizeof(*known));
    AUTO(strbuf) struct strbuf list = STRBUF_INIT;
    const char *near;

    for (size_t i = 0; i < rt->n_arguments; i++) {
        known[i] = rt->arguments[i].name;
        if (strcmp(known[i], name) == 0)
            return 0;
        strbuf_printf(&list, "%s%s", i ? ", " : "", known[i]);
    }
    near = nearest(name, known, rt->n_arguments);
    if (near)
        return err_set(e, -EINVAL, "arguments.%.64s: not known; did you mean \"%s\"?", name, near);
    return err_set(e, -EINVAL, "arguments.%.64s: not known; known are: %s", name,
                   list.length ? strbuf_text(&list) : "none");
}

static int append_arguments(const struct runtime *rt, const struct wire_desired *d,
                            struct launch *launch, struct err *e)
{
    int r = 0;

    for (size_t i = 0; i < d->n_arguments && r == 0; i++)
        r = check_known(rt, d->arguments[i].key, e);
    for (size_t i = 0; i < rt->n_arguments && r == 0; i++) {
        const struct argument *a = &rt->arguments[i];
        const struct wire_pair *given = find_pair(d->arguments, d->n_arguments, a->name);
        const char *value = given ? given->value : a->def;

        if (value)
            r = argument_append(a, value, launch, e);
        else if (a->required)
            r = err_set(e, -EINVAL, "missing, the runtime requires it");
        if (r < 0)
            return err_prefix(e, r, "arguments.%s", a->name);
    }
    return r;
}

static int append_port(const struct runtime *rt, const struct wire_desired *d,
                       struct launch *launch, struct err *e)
{
    struct argument port = { .type = ARGUMENT_PORT, .flag = rt->port.flag };
    char text[16];
    int r;

    if (d->port == 0)
        return rt->port.flag[0] ? err_set(e, -EINVAL, "port: missing, the runtime needs one") : 0;
    port.least = rt->port.least;
    port.most = rt->port.most;
    (void)snprintf(text, sizeof(text), "%" PRIu32, d->port);
    if (rt->port.flag[0]) {
        r = argument_append(&port, text, launch, e);
    } else {
        struct launch check = { 0 };

        r = argument_append(&port, text, &check, e);
        launch_done(&check);
    }
    return r < 0 ? err_prefix(e, r, "port") : 0;
}

/* --- environment -------------------------------------------------------------------------------
 */

static void add_base_environment(struct launch *launch)
{
    launch_variable(launch, "PATH", PATH);
    launch_variable(launch, "HOME", "/");
    launch_variable(launch, "LANG", "C.UTF-8");
}

static void add_own_environment(const struct wire_desired *d, struct launch *launch)
{
    AUTO(strbuf) struct strbuf gpus = STRBUF_INIT;
    char port[16];

    for (size_t i = 0; i < d->n_gpus; i++)
        strbuf_printf(&gpus, "%s%" PRIu32, i ? "," : "", d->gpus[i]);
    launch_variable(launch, "HUDDLE_REPLICA", d->uid);
    launch_variable(launch, "HUDDLE_MODEL", d->model);
    launch_variable(launch, "CUDA_VISIBLE_DEVICES", strbuf_text(&gpus));
    (void)snprintf(port, sizeof(port), "%" PRIu32, d->port);
    if (d->port)
        launch_variable(launch, "PORT", port);
}

/* `allowed` NULL: any, for a free command. */
static int add_given_environment(const struct wire_desired *d, const struct string_list *allowed,
                                 struct launch *launch, struct err *e)
{
    for (size_t i = 0; i < d->n_environment; i++) {
        const char *key = d->environment[i].key;
        size_t k = 0;

        if (!variable_name_valid(key))
            return err_set(e, -EINVAL, "environment: \"%.64s\" is not a name of a variable", key);
        if (variable_is_ours(key))
            return err_set(e, -EINVAL, "environment.%.64s: set by huddle itself", key);
        while (allowed && k < allowed->n && strcmp(allowed->item[k], key) != 0)
            k++;
        if (allowed && k == allowed->n)
            return err_set(e, -EACCES,
                           "environment.%.64s: not one that the runtime lets a manifest set", key);
        launch_variable(launch, key, d->environment[i].value);
    }
    return 0;
}

/* --- limits ------------------------------------------------------------------------------------
 */

static int limit(const char *what, uint64_t wanted, int64_t ceiling, uint64_t *ret_limit,
                 struct err *e)
{
    if (ceiling > 0 && wanted > (uint64_t)ceiling)
        return err_set(e, -EACCES, "%s: %" PRIu64 " wanted, this node's runtime allows %" PRId64,
                       what, wanted, ceiling);
    *ret_limit = wanted ? wanted : ceiling > 0 ? (uint64_t)ceiling : 0;
    return 0;
}

static int set_limits(const struct runtime *rt, const struct wire_desired *d, struct launch *launch,
                      struct err *e)
{
    int r = limit("resources.cpu (milli)", d->cpu_milli, rt->cpu_milli, &launch->cpu_milli, e);

    if (r == 0)
        r = limit("resources.memory (bytes)", d->memory_bytes, rt->memory_bytes,
                  &launch->memory_bytes, e);
    launch->open_files = rt->open_files > 0 ? (uint64_t)rt->open_files : 0;
    return r;
}

/* --- free commands -----------------------------------------------------------------------------
 */

/* The first word as an absolute path: a program of PATH, as a shell would find it. */
static int append_program(const char *word, struct launch *launch, struct err *e)
{
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;

    if (*word == '/') {
        launch_argument(launch, word);
        return 0;
    }
    for (const char *p = PATH; *word && !strchr(word, '/') && *p; p += *p == ':') {
        size_t n = strcspn(p, ":");

        strbuf_clear(&path);
        strbuf_printf(&path, "%.*s/%s", (int)n, p, word);
        if (access(strbuf_text(&path), X_OK) == 0) {
            launch_argument(launch, strbuf_text(&path));
            return 0;
        }
        p += n;
    }
    return err_set(e, -ENOENT, "\"%.100s\": no such program; give its absolute path", word);
}

static int append_command(const char **words, size_t n, struct launch *launch, struct err *e)
{
    int r = append_program(words[0], launch, e);

    for (size_t i = 1; i < n && r == 0; i++)
        launch_argument(launch, words[i]);
    return r;
}

static int command_allowed(bool allow_commands, struct err *e)
{
    return allow_commands ? 0
                          : err_set(e, -EACCES,
                                    "this node runs no free commands: allowCommands is not set in "
                                    "its agent.yaml; name one of its runtimes instead");
}

static int resolve_free(const struct wire_desired *d, bool allow_commands, struct launch *launch,
                        struct err *e)
{
    int r = command_allowed(allow_commands, e);

    if (r == 0)
        r = append_command(d->command, d->n_command, launch, e);
    if (r < 0)
        return err_prefix(e, r, "process.command");
    launch->cpu_milli = d->cpu_milli;
    launch->memory_bytes = d->memory_bytes;
    r = launch_user(launch, launch_default_user(), e);
    if (r == 0)
        r = add_given_environment(d, NULL, launch, e);
    return r;
}

/* --- runtimes ----------------------------------------------------------------------------------
 */

static int resolve_runtime(const struct runtime *rt, const struct wire_desired *d,
                           struct launch *launch, struct err *e)
{
    int r;

    launch_argument(launch, rt->exec);
    for (size_t i = 0; i < rt->fixed.n; i++)
        launch_argument(launch, rt->fixed.item[i]);
    r = append_arguments(rt, d, launch, e);
    if (r == 0)
        r = append_port(rt, d, launch, e);
    if (r == 0)
        r = set_limits(rt, d, launch, e);
    if (r == 0)
        r = launch_user(launch, rt->user[0] ? rt->user : launch_default_user(), e);
    for (size_t i = 0; i < rt->variables.n; i++)
        launch_variable(launch, rt->variables.pair[i].key, rt->variables.pair[i].value);
    if (r == 0)
        r = add_given_environment(d, &rt->environment, launch, e);
    return r < 0 ? err_prefix(e, r, "runtime %s", rt->name) : 0;
}

int runtimes_resolve(const struct runtimes *r, const struct wire_desired *desired,
                     bool allow_commands, struct launch *ret_launch, struct err *e)
{
    AUTO(launch) struct launch launch = { 0 };
    const struct runtime *rt = find_runtime(r, desired->runtime);
    int code;

    add_base_environment(&launch);
    if (desired->runtime[0] && desired->n_command)
        code = err_set(e, -EINVAL, "a runtime and a command: expected one of the two");
    else if (desired->runtime[0])
        code =
            rt ? resolve_runtime(rt, desired, &launch, e) : unknown_runtime(r, desired->runtime, e);
    else if (desired->n_command)
        code = resolve_free(desired, allow_commands, &launch, e);
    else
        code = err_set(e, -EINVAL, "neither a runtime nor a command to run");
    if (code < 0)
        return code;
    add_own_environment(desired, &launch);
    *ret_launch = launch;
    launch = (struct launch){ 0 };
    return 0;
}

static void drop_arguments(struct launch *launch)
{
    for (size_t i = 0; i < launch->n_argv; i++)
        free(launch->argv[i]);
    free(launch->argv);
    launch->argv = NULL;
    launch->n_argv = launch->cap_argv = 0;
}

int runtimes_resolve_probe(const struct runtimes *r, const struct wire_desired *desired,
                           bool allow_commands, struct launch *ret_launch, struct err *e)
{
    AUTO(launch) struct launch launch = { 0 };
    int code = command_allowed(allow_commands, e);

    if (code == 0 && !desired->readiness.n_command)
        code = err_set(e, -EINVAL, "empty");
    if (code < 0)
        return err_prefix(e, code, "readiness.command");
    code = runtimes_resolve(r, desired, allow_commands, &launch, e);
    if (code < 0)
        return code;
    drop_arguments(&launch);
    code = append_command(desired->readiness.command, desired->readiness.n_command, &launch, e);
    if (code < 0)
        return err_prefix(e, code, "readiness.command");
    *ret_launch = launch;
    launch = (struct launch){ 0 };
    return 0;
}
