/* Exec credential plugins: see kube_exec.h. */
#include "controller/kube_client/kube_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/kube_client/kube_exec_text.h"
#include "controller/kube_client/kube_memfd.h"
#include "proto/base/array.h"
#include "proto/base/child.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"

#define OUT_MOST (1u << 20)
#define ERR_MOST 400
#define TIME_MS 60000
#define GRACE_MS 2000
#define FAILED_MS 5000   /* for so long is a failure told without another run */
#define REFUSED_MS 10000 /* between runs because of a refusal */
#define LEAST_MS 10000   /* what has just come is shown for so long, be it expired by our clock */
#define CA_MOST (1u << 20)

struct pair { /* of certificate and key, in memory */
    int fds[2];
    char *paths[2];
};

struct kube_plugin {
    struct loop *loop;
    const struct kube_config *config;
    void (*ready)(void *data);
    void *data;
    struct child *child; /* runs */
    struct kube_exec_said said;
    struct pair now, before; /* `before` may still be read by a connection that is being made */
    int64_t until_ms;        /* of what was said; 0: it stays good */
    int64_t failed_ms, refused_ms;
    bool knows, failed;
    int code;
    struct err why;
    unsigned generation;
};

/* --- what it said --------------------------------------------------------------------------- */

static void pair_done(struct pair *p)
{
    for (size_t i = 0; i < ARRAY_LEN(p->fds); i++) {
        if (p->fds[i] >= 0)
            (void)close(p->fds[i]);
        free(p->paths[i]);
    }
    *p = (struct pair){ .fds = { -1, -1 } };
}

static int pair_make(struct pair *p, const struct kube_exec_said *s, struct err *e)
{
    const char *texts[] = { s->certificate, s->key };
    int r = 0;

    for (size_t i = 0; r == 0 && s->certificate[0] && i < ARRAY_LEN(texts); i++)
        r = kube_memfd(texts[i], strlen(texts[i]), &p->fds[i], &p->paths[i], e);
    return r;
}

static void fail(struct kube_plugin *p, int code)
{
    p->failed = true;
    p->failed_ms = loop_now_ms(p->loop);
    p->code = code;
    (void)err_prefix(&p->why, code, "credential plugin %s", p->config->exec->command);
}

static void take(struct kube_plugin *p, struct kube_exec_said *said)
{
    struct pair fresh = { .fds = { -1, -1 } };
    int64_t left_ms;
    int r = pair_make(&fresh, said, &p->why);

    if (r < 0) {
        pair_done(&fresh);
        kube_exec_said_done(said);
        fail(p, r);
        return;
    }
    pair_done(&p->before);
    p->before = p->now;
    p->now = fresh;
    kube_exec_said_done(&p->said);
    p->said = *said;
    left_ms = said->until_wall_ms - clock_wall_ms();
    p->until_ms = 0;
    if (said->until_wall_ms)
        p->until_ms = loop_now_ms(p->loop) + (left_ms < LEAST_MS ? LEAST_MS : left_ms);
    p->knows = true;
    p->failed = false;
}

/* --- running it ----------------------------------------------------------------------------- */

/* What it wrote for people; no credential belongs there. */
static void add_stderr(struct kube_plugin *p, const struct child_result *r)
{
    char text[ERR_MOST + 1];
    size_t n = r->n_err < ERR_MOST ? r->n_err : ERR_MOST;

    memcpy(text, r->err, n);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            text[i] = ' ';
    while (n && text[n - 1] == ' ')
        n--;
    text[n] = '\0';
    if (n) {
        struct err what = p->why;

        err_text(&p->why, "%s: %s", what.text, text);
    }
}

static int explain(struct kube_plugin *p, const struct child_result *r)
{
    switch (r->end) {
    case CHILD_EXITED:
        return err_set(&p->why, -EIO, "ended with exit code %d", r->code);
    case CHILD_SIGNALED:
        return err_set(&p->why, -EIO, "was ended by signal %d", r->code);
    case CHILD_LATE:
        return err_set(&p->why, -ETIMEDOUT, "did not end within %d s", TIME_MS / 1000);
    case CHILD_FLOODED:
        return err_set(&p->why, -EFBIG, "wrote more than %u bytes", OUT_MOST);
    case CHILD_UNBORN:
        break;
    }
    return err_errno(&p->why, r->code, "cannot be run");
}

static void on_end(void *data, const struct child_result *r)
{
    struct kube_plugin *p = data;
    struct kube_exec_said said;
    int code;

    if (r->end == CHILD_EXITED && r->code == 0) {
        code = kube_exec_read(p->config->exec->api_version, r->out, r->n_out, &said, &p->why);
        if (code == 0)
            take(p, &said);
        else
            fail(p, code);
    } else {
        code = explain(p, r);
        add_stderr(p, r);
        fail(p, code);
    }
    explicit_bzero((char *)r->out, r->n_out);
    p->generation++;
    child_free(TAKE(p->child));
    p->ready(p->data);
}

/* A command without a slash is looked for in PATH. */
static int open_program(const char *command, char **ret_path)
{
    const char *path = getenv("PATH");
    int code = -ENOENT;

    if (strchr(command, '/'))
        path = "";
    else if (!path)
        path = "/usr/bin:/bin";
    for (;;) {
        size_t n = strcspn(path, ":");
        struct strbuf full = STRBUF_INIT;
        int fd;

        strbuf_add(&full, path, n);
        if (n)
            strbuf_putc(&full, '/');
        strbuf_puts(&full, command);
        *ret_path = strbuf_take(&full);
        fd = n || strchr(command, '/') ? open(*ret_path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0 && access(*ret_path, X_OK) == 0)
            return fd;
        if (fd >= 0) {
            code = -EACCES;
            (void)close(fd);
        }
        free(TAKE(*ret_path));
        path += n;
        if (!*path++)
            return code;
    }
}

static void add_var(char **env, size_t *n, const char *name, const char *value)
{
    struct strbuf var = STRBUF_INIT;
    size_t length = strlen(name), i = 0;

    strbuf_printf(&var, "%s=%s", name, value);
    while (i < *n && (strncmp(env[i], name, length) != 0 || env[i][length] != '='))
        i++;
    if (i == *n)
        (*n)++;
    free(env[i]);
    env[i] = strbuf_take(&var);
}

static char **make_env(const struct kube_config *c)
{
    const struct string_map *own = &c->exec->env;
    AUTO(mem) char *ca = NULL;
    AUTO(mem) char *info = NULL;
    size_t n = 0, n_ca = 0;
    char **env;

    while (environ && environ[n])
        n++;
    env = xcalloc(n + own->n + 2, sizeof(*env));
    for (size_t i = 0; i < n; i++)
        env[i] = xstrdup(environ[i]);
    for (size_t i = 0; i < own->n; i++)
        add_var(env, &n, own->pair[i].key, own->pair[i].value);
    if (c->exec->provide_cluster_info && c->ca_file[0])
        (void)file_read(c->ca_file, CA_MOST, &ca, &n_ca,
                        NULL); /* one that is gone stops us later */
    info = kube_exec_info(c, ca, n_ca);
    add_var(env, &n, "KUBERNETES_EXEC_INFO", info);
    return env;
}

static int start(struct kube_plugin *p, const char *path, int fd)
{
    const struct kube_exec *x = p->config->exec;
    const char **argv = xcalloc(x->args.n + 2, sizeof(*argv));
    char **env = make_env(p->config);
    int64_t now_ms = clock_boot_ms();
    int r;

    argv[0] = path;
    for (size_t i = 0; i < x->args.n; i++)
        argv[i + 1] = x->args.item[i];
    r = child_start(p->loop,
                    &(struct child_order){ .program_fd = fd,
                                           .argv = argv,
                                           .envp = (const char *const *)env,
                                           .stdin_fd = -1,
                                           .most_out = OUT_MOST,
                                           .most_err = ERR_MOST,
                                           .deadline_ms = now_ms + TIME_MS,
                                           .grace_ms = GRACE_MS },
                    on_end, p, &p->child, &p->why);
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    free(env);
    free(argv);
    return r;
}

static void run(struct kube_plugin *p)
{
    const struct kube_exec *x = p->config->exec;
    AUTO(mem) char *path = NULL;
    AUTO(fd) int fd = -1;
    int r;

    p->why = (struct err)ERR_INIT;
    if (x->interactive == KUBE_INTERACTIVE_ALWAYS) {
        r = err_set(&p->why, -ENOTSUP,
                    "wants a terminal (interactiveMode: Always), and there is none here: log in "
                    "with kubectl, or name a plugin that asks nothing");
    } else if ((fd = open_program(x->command, &path)) < 0) {
        r = err_errno(&p->why, fd, "cannot be run");
        if (x->install_hint[0]) {
            struct err what = p->why;

            err_text(&p->why, "%s; %s", what.text, x->install_hint);
        }
    } else {
        r = start(p, path, fd);
    }
    if (r < 0)
        fail(p, r);
}

/* --- asking it ------------------------------------------------------------------------------ */

struct kube_plugin *kube_plugin_new(struct loop *l, const struct kube_config *config,
                                    void (*ready)(void *data), void *data)
{
    struct kube_plugin *p = xcalloc(1, sizeof(*p));

    *p = (struct kube_plugin){ .loop = l,
                               .config = config,
                               .ready = ready,
                               .data = data,
                               .now = { .fds = { -1, -1 } },
                               .before = { .fds = { -1, -1 } } };
    return p;
}

void kube_plugin_free(struct kube_plugin *p)
{
    if (!p)
        return;
    child_free(p->child);
    pair_done(&p->now);
    pair_done(&p->before);
    kube_exec_said_done(&p->said);
    free(p);
}

static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

int kube_plugin_get(struct kube_plugin *p, int64_t now_ms, struct kube_plugin_said *ret_said,
                    struct err *e)
{
    bool expired = p->knows && p->until_ms && now_ms >= p->until_ms;
    bool again = p->failed && now_ms - p->failed_ms >= FAILED_MS;

    if (!p->child && (again || (!p->failed && (expired || !p->knows))))
        run(p);
    if (p->child)
        return 1;
    if (p->failed) {
        if (e)
            *e = p->why;
        return p->code;
    }
    *ret_said = (struct kube_plugin_said){ .token = or_null(p->said.token),
                                           .cert_file = p->now.paths[0],
                                           .key_file = p->now.paths[1],
                                           .generation = p->generation };
    return 0;
}

bool kube_plugin_refused(struct kube_plugin *p, unsigned generation, int64_t now_ms)
{
    if (p->child || generation != p->generation)
        return true;
    if (p->refused_ms && now_ms - p->refused_ms < REFUSED_MS)
        return false;
    p->refused_ms = now_ms;
    p->knows = false;
    return true;
}
