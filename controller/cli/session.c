/* The server and how it is spoken to: see session.h. */
#include "controller/cli/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/cli/look.h"
#include "controller/cli/text.h"
#include "proto/base/array.h"
#include "proto/base/yaml.h"
#include "proto/field.h"

#define TRIES 5
#define MOST_BYTES (256u << 20) /* a list of 10,000 nodes is some 30 MB */

/* --- settings ----------------------------------------------------------------------------------
 */

struct settings { /* the configuration file */
    char *server, *token, *token_file, *ca;
};

static const struct field SETTINGS[] = {
    { "server", FIELD_TEXT, offsetof(struct settings, server), "", 0, 0, NULL,
      "URL of the controller", NULL },
    { "token", FIELD_TEXT, offsetof(struct settings, token), "", 0, 0, NULL, "bearer token", NULL },
    { "tokenFile", FIELD_TEXT, offsetof(struct settings, token_file), "", 0, 0, NULL,
      "file that holds the bearer token", NULL },
    { "ca", FIELD_TEXT, offsetof(struct settings, ca), "", 0, 0, NULL,
      "certificate authority of the server, PEM", NULL },
    FIELDS_END,
};

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* The file that was named, or the usual one when it exists. */
static int read_settings(const struct options *o, struct settings *ret, struct err *e)
{
    const char *named = options_get(o, OPT_CONFIG), *home = environment("XDG_CONFIG_HOME");
    AUTO(strbuf) struct strbuf usual = STRBUF_INIT;
    struct place top = { &(struct source){ "", NULL }, NULL, NULL, 0, "" };

    if (!named)
        named = environment("HUDDLE_CONFIG");
    if (named)
        return fields_read_file(ret, SETTINGS, named, NULL, e);
    if (home)
        strbuf_printf(&usual, "%s/huddle/config.yaml", home);
    else if (environment("HOME"))
        strbuf_printf(&usual, "%s/.config/huddle/config.yaml", environment("HOME"));
    if (usual.length && access(strbuf_text(&usual), F_OK) == 0)
        return fields_read_file(ret, SETTINGS, strbuf_text(&usual), NULL, e);
    return fields_read(ret, SETTINGS, &top, NULL, e);
}

static char *first_of(const char *a, const char *b, const char *c)
{
    return xstrdup(a ? a : b ? b : c && *c ? c : NULL);
}

static int read_token_file(const char *file, char **ret_token, struct err *e)
{
    char *text;
    size_t n;
    int r = yaml_read_file(file, &text, &n, e);

    if (r < 0)
        return err_prefix(e, r, "token");
    text[strcspn(text, "\r\n")] = '\0';
    if (!*text) {
        free(text);
        return err_set(e, -EINVAL, "token: %s is empty", file);
    }
    *ret_token = text;
    return 0;
}

static int choose_token(const struct options *o, const struct settings *set, char **ret_token,
                        struct err *e)
{
    const char *flag = options_get(o, OPT_TOKEN), *file = options_get(o, OPT_TOKEN_FILE);

    if (flag || (!file && (flag = environment("HUDDLE_TOKEN")))) {
        *ret_token = xstrdup(flag);
        return 0;
    }
    if (!file && !*set->token && *set->token_file)
        file = set->token_file;
    if (file)
        return read_token_file(file, ret_token, e);
    *ret_token = *set->token ? xstrdup(set->token) : NULL;
    return 0;
}

static bool is_loopback(const char *server)
{
    const char *host = server + strlen("http://");
    size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

    return (n == 9 && strncmp(host, "localhost", n) == 0) ||
           (n >= 9 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == n) ||
           (n == 5 && strncmp(host, "[::1]", n) == 0);
}

/* "https://name:password@host/": it would be shown to others, here and in messages. */
static bool names_user(const char *server)
{
    const char *host = strstr(server, "://");

    return host && memchr(host + 3, '@', strcspn(host + 3, "/?#"));
}

static int check(struct session *s, struct err *e)
{
    size_t n = strlen(s->server);

    while (n > 0 && s->server[n - 1] == '/')
        s->server[--n] = '\0';
    if (names_user(s->server))
        return err_set(e, -EINVAL,
                       "server: no name and no password in a URL, where others see them; give "
                       "--token-file");
    if (strncmp(s->server, "https://", 8) == 0)
        return 0;
    if (strncmp(s->server, "http://", 7) != 0)
        return err_set(e, -EINVAL, "server: \"%.200s\" is not a URL; expected http:// or https://",
                       s->server);
    if (s->token && !is_loopback(s->server))
        return err_set(e, -EINVAL,
                       "server: a token is not sent in the clear to %.200s; use https://",
                       s->server);
    return 0;
}

int session_open(const struct options *o, struct session *ret_session, struct err *e)
{
    struct settings set = { 0 };
    struct session s = { 0 };
    int r = read_settings(o, &set, e);

    if (r == 0)
        r = choose_token(o, &set, &s.token, e);
    if (r == 0) {
        s.server = first_of(options_get(o, OPT_SERVER), environment("HUDDLE_SERVER"), set.server);
        if (!s.server)
            s.server = xstrdup(DEFAULT_SERVER);
        s.ca = first_of(options_get(o, OPT_CA), environment("HUDDLE_CA"), set.ca);
        r = check(&s, e);
    }
    fields_done(&set, SETTINGS);
    if (r < 0)
        session_done(&s);
    else
        *ret_session = s;
    return r;
}

static int token_of_flags(const struct options *o, char **ret_token, struct err *e)
{
    const char *token = options_get(o, OPT_TOKEN), *file = options_get(o, OPT_TOKEN_FILE);

    if (token)
        *ret_token = xstrdup(token);
    return !token && file ? read_token_file(file, ret_token, e) : 0;
}

int session_open_kube(const struct options *o, struct session *ret_session, struct err *e)
{
    AUTO(mem) char *token = NULL;
    struct session s = { 0 };
    int r = token_of_flags(o, &token, e);

    if (r == 0)
        r = session_kube_new(o, token, &s.kube, e);
    if (r < 0)
        return r;
    s.server = xstrdup(session_kube_server(s.kube));
    *ret_session = s;
    return 0;
}

int session_open_at(const struct options *o, const char *url, struct session *ret_session,
                    struct err *e)
{
    struct session s = { .server = xstrdup(url),
                         .user = xstrdup(options_get(o, OPT_USER)),
                         .ca = xstrdup(options_get(o, OPT_CA)) };
    int r = token_of_flags(o, &s.token, e);

    if (r == 0 && s.user && !s.token)
        r = err_set(e, -EINVAL, "--user needs the password: --token-file FILE");
    if (r == 0)
        r = check(&s, e);
    if (r < 0)
        session_done(&s);
    else
        *ret_session = s;
    return r;
}

void session_done(struct session *s)
{
    free(s->server);
    free(s->token);
    free(s->user);
    free(s->ca);
    session_kube_free(s->kube);
    *s = (struct session){ 0 };
}

/* --- requests ----------------------------------------------------------------------------------
 */

void session_escape(struct strbuf *out, const char *word)
{
    for (; *word; word++) {
        if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", *word))
            strbuf_putc(out, *word);
        else
            strbuf_printf(out, "%%%02X", (unsigned char)*word);
    }
}

void session_path(struct strbuf *out, const char *plural, const char *name)
{
    strbuf_printf(out, API_PREFIX "/%s", plural);
    if (name) {
        strbuf_putc(out, '/');
        session_escape(out, name);
    }
}

/* What the server says about a refusal: its Status object's message. */
static int refused(const struct session *s, int status, const json_t *answer, struct err *e)
{
    AUTO(strbuf) struct strbuf safe = STRBUF_INIT;
    const char *message = look_text(answer, "message"), *reason = look_text(answer, "reason");
    int code = status == 404                    ? -ENOENT
               : status == 409                  ? -EEXIST
               : status == 410                  ? -ESTALE
               : status == 401 || status == 403 ? -EACCES
               : status / 100 == 4              ? -EINVAL
                                                : -EPROTO;

    text_safe(&safe, message ? message : "no reason given");
    if (s->kube && status == 403 && strstr(strbuf_text(&safe), "services/proxy"))
        strbuf_puts(&safe, " (ClusterRole huddle-viewer, huddle-operator or huddle-admin has it)");
    if (status == 401 && !s->kube)
        strbuf_puts(&safe, " (give --token-file, HUDDLE_TOKEN, or a token in the configuration)");
    if (reason)
        return err_set(e, code, "from server (%.40s): %s", reason, strbuf_text(&safe));
    return err_set(e, code, "from server (%d): %s", status, strbuf_text(&safe));
}

static struct http_request request_for(const struct session *s, const char *url)
{
    struct http_request rq = { .url = url,
                               .accept = "application/json",
                               .most_bytes = MOST_BYTES,
                               .total_ms = s->total_ms,
                               .ca_file = s->ca,
                               .bearer = s->token };

    if (s->kube)
        session_kube_fill(s->kube, &rq);
    return rq;
}

/* 429 says that nothing was done: the server wants to be asked less often. */
static int fetch(const struct http_request *rq, char **ret_text, size_t *ret_n, struct err *e)
{
    for (int i = 0;; i++) {
        int status = http_fetch(rq, NULL, NULL, ret_text, ret_n, e);

        if (status != 429 || i == TRIES)
            return status;
        free(*ret_text);
        *ret_text = NULL;
        (void)nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
    }
}

/* Nobody listens: most often nothing was started yet, or it is on another machine. */
static int unreached(int r, struct err *e)
{
    struct err what = *e;

    if (r != -ECONNREFUSED)
        return r;
    return err_set(
        e, r, "%s; is huddle-controller running there? --server or HUDDLE_SERVER names another",
        what.text);
}

int session_call(const struct session *s, const char *method, const char *path, const json_t *body,
                 json_t **ret_answer, struct err *e)
{
    AUTO(mem) char *text = NULL, *answer_text = NULL;
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    struct http_request rq;
    json_t *answer;
    size_t n = 0;
    int status;

    strbuf_printf(&url, "%s%s", s->server, path);
    rq = request_for(s, strbuf_text(&url));
    rq.method = method;
    if (body) {
        text = json_dumps(body, JSON_COMPACT);
        rq.content_type = "application/json";
        rq.body = text;
        rq.body_length = text ? strlen(text) : 0;
    }
    status = fetch(&rq, &answer_text, &n, e);
    if (status < 0)
        return unreached(status, e);
    answer = answer_text ? json_loadb(answer_text, n, 0, NULL) : NULL;
    if (status / 100 != 2) {
        int r = refused(s, status, answer, e);

        json_decref(answer);
        return r;
    }
    if (!answer)
        return err_set(e, -EPROTO, "%s does not answer in JSON: is it a huddle-controller?",
                       s->server);
    if (ret_answer)
        *ret_answer = answer;
    else
        json_decref(answer);
    return 0;
}

int session_stream(const struct session *s, const char *path, http_chunk_fn *chunk, void *data,
                   struct err *e)
{
    AUTO(mem) char *text = NULL;
    AUTO(strbuf) struct strbuf url = STRBUF_INIT;
    struct http_request rq;
    json_t *answer;
    size_t n = 0;
    int status;

    strbuf_printf(&url, "%s%s", s->server, path);
    rq = request_for(s, strbuf_text(&url));
    rq.total_ms = -1;
    status = http_fetch(&rq, chunk, data, &text, &n, e);
    if (status < 0 || status / 100 == 2)
        return status < 0 ? unreached(status, e) : 0;
    answer = text ? json_loadb(text, n, 0, NULL) : NULL;
    status = refused(s, status, answer, e);
    json_decref(answer);
    return status;
}
