/* Requests to the API: a request as text goes through admission, routing, parsing, the backend and
 * back. The HTTP server is replaced by a double that makes calls from the input and checks that
 * each gets exactly one answer, and that what is no success is a Status. */
#include <jansson.h>

#include "controller/api/server.h"
#include "controller/api/watch.h"
#include "proto/base/array.h"
#include "proto/base/httpd.h"
#include "tests/fuzz/fuzz.h"

/* --- a double of httpd.h ---------------------------------------------------------------------- */

#define PARTS 32

struct part {
    char *name, *value;
};

struct httpd {
    struct httpd_options options;
};

struct httpd_stream {
    httpd_closed_fn *closed;
    void *data;
    struct strbuf text;
    bool ended;
};

struct httpd_call {
    char *method, *path, *body;
    size_t n_body;
    bool too_long;
    struct part query[PARTS], headers[PARTS];
    size_t n_query, n_headers;
    void *attached;
    void (*release)(void *thing);
    httpd_handler_fn *again;
    void *again_data;
    int answers, status;
    char *answer;
    struct httpd_stream *stream;
};

static struct httpd the_server;

int httpd_new(const struct httpd_options *options, struct httpd **ret_httpd, struct err *e)
{
    (void)e;
    the_server.options = *options;
    *ret_httpd = &the_server;
    return 0;
}

void httpd_free(struct httpd *h)
{
    (void)h;
}

int httpd_certify(struct httpd *h, const char *cert_file, const char *key_file, struct err *e)
{
    (void)h;
    (void)cert_file;
    (void)key_file;
    (void)e;
    return 0;
}

uint16_t httpd_port(const struct httpd *h)
{
    (void)h;
    return 1;
}

const char *httpd_method(const struct httpd_call *call)
{
    return call->method;
}

const char *httpd_path(const struct httpd_call *call)
{
    return call->path;
}

static const char *find_part(const struct part *parts, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(parts[i].name, name) == 0)
            return parts[i].value;
    }
    return NULL;
}

const char *httpd_query(const struct httpd_call *call, const char *name)
{
    return find_part(call->query, call->n_query, name);
}

const char *httpd_header(const struct httpd_call *call, const char *name)
{
    return find_part(call->headers, call->n_headers, name);
}

const void *httpd_body(const struct httpd_call *call, size_t *ret_n)
{
    *ret_n = call->n_body;
    return call->too_long ? NULL : call->body;
}

void httpd_peer(const struct httpd_call *call, char text[HTTPD_PEER_MAX])
{
    (void)call;
    (void)strcpy(text, "::1");
}

bool httpd_client(const struct httpd_call *call, struct httpd_client *ret_client)
{
    (void)call;
    (void)ret_client;
    return false;
}

void httpd_attach(struct httpd_call *call, void *thing, void (*release)(void *thing))
{
    MUST(!call->attached);
    call->attached = thing;
    call->release = release;
}

void *httpd_attached(const struct httpd_call *call)
{
    return call->attached;
}

void httpd_add_header(struct httpd_call *call, const char *name, const char *value)
{
    MUST(!call->answers && !strpbrk(name, "\r\n") && !strpbrk(value, "\r\n"));
}

void httpd_reply(struct httpd_call *call, int status, const char *content_type, const void *bytes,
                 size_t n)
{
    MUST(content_type);
    call->answers++;
    call->status = status;
    free(call->answer);
    call->answer = fuzz_text(bytes, n);
}

void httpd_again(struct httpd_call *call, httpd_handler_fn *fn, void *data)
{
    MUST(!call->again && !call->answers);
    call->again = fn;
    call->again_data = data;
}

struct httpd_stream *httpd_stream_begin(struct httpd_call *call, const char *content_type,
                                        httpd_closed_fn *closed, void *data)
{
    (void)content_type;
    call->answers++;
    call->status = 200;
    call->stream = xcalloc(1, sizeof(*call->stream));
    call->stream->closed = closed;
    call->stream->data = data;
    return call->stream;
}

void httpd_stream_prime(struct httpd_stream *s, const void *bytes, size_t n)
{
    MUST(!s->ended);
    strbuf_add(&s->text, bytes, n);
}

bool httpd_stream_write(struct httpd_stream *s, const void *bytes, size_t n)
{
    httpd_stream_prime(s, bytes, n);
    return true;
}

void httpd_stream_end(struct httpd_stream *s)
{
    MUST(!s->ended);
    s->ended = true;
}

/* --- the backend ------------------------------------------------------------------------------ */

static const char A_MODEL[] =
    "{\"apiVersion\":\"huddle.energy/"
    "v1alpha1\",\"kind\":\"ServedModel\",\"metadata\":{\"name\":\"m\","
    "\"uid\":\"u\",\"resourceVersion\":\"12\",\"labels\":{\"a\":\"b\"}},\"spec\":{\"port\":80},"
    "\"status\":{\"ready\":1,\"phases\":{\"ready\":1},\"forecast\":{\"quantiles\":[0.5],\"values\":"
    "[[2]]}}}";

static int puts_left; /* conflicts before one succeeds */

static void tell(api_done_fn *done, void *arg, int status, json_t *object, const char *message)
{
    const struct api_answer answer = { status, object, message, 20 };

    done(arg, &answer);
    json_decref(object);
}

static void get(void *data, const char *kind, const char *name, api_done_fn *done, void *arg)
{
    json_t *object = json_loads(A_MODEL, 0, NULL);

    (void)data;
    MUST(kind);
    if (name && strcmp(name, "gone") == 0) {
        json_decref(object);
        tell(done, arg, 404, NULL, NULL);
        return;
    }
    tell(done, arg, 200, name ? object : json_pack("[o]", object), NULL);
}

static void report(void *data, int64_t from_wall_ms, int64_t to_wall_ms, api_done_fn *done,
                   void *arg)
{
    (void)data;
    MUST(from_wall_ms < to_wall_ms);
    tell(done, arg, 200, json_object(), NULL);
}

static void submit(void *data, struct controller_event *e, api_done_fn *done, void *arg)
{
    struct manifest *again = NULL;
    json_t *printed;

    (void)data;
    if (e->kind == CE_PUT) { /* what comes so far prints and reads as itself */
        printed = manifest_to_json(e->put.object);
        MUST(manifest_from_json(printed, "", &again, NULL) == 0);
        manifest_free(again);
        MUST(e->put.create_only != e->put.replace_only && e->put.who[0]);
        if (puts_left-- > 0) {
            json_decref(printed);
            tell(done, arg, 409, NULL, "was changed");
        } else {
            tell(done, arg, e->put.create_only ? 201 : 200, printed, NULL);
        }
    } else if (e->kind == CE_DELETE || e->kind == CE_REMOVE_NODE) {
        MUST(e->del.name[0]);
        tell(done, arg, 200, json_object(), NULL);
    } else {
        MUST(e->kind == CE_VERB && e->verb.reason);
        tell(done, arg, 200, json_object(), NULL);
    }
}

static int ingest(void *data, const struct bearer *by, const void *bytes, size_t n,
                  struct strbuf *reply, struct err *e)
{
    (void)data;
    (void)by;
    (void)bytes;
    (void)reply;
    (void)err_set(e, 0, "%zu bytes", n);
    return n % 3 == 0 ? 200 : n % 3 == 1 ? 400 : 503;
}

static bool ready(void *data, struct err *e)
{
    (void)data;
    (void)e;
    return true;
}

static void stats(void *data, struct api_stats *ret_stats)
{
    (void)data;
    *ret_stats = (struct api_stats){ 0 };
}

static struct api_server *server_once(void)
{
    static struct api_server *server;
    struct api_options options = { .version = 10,
                                   .most_body = 4096,
                                   .most_report = 512,
                                   .backend = { .get = get,
                                                .report = report,
                                                .submit = submit,
                                                .ingest = ingest,
                                                .ready = ready,
                                                .stats = stats } };
    json_t *model = json_loads(A_MODEL, 0, NULL);

    if (!server) {
        MUST(api_server_new(&options, &server, NULL) == 0);
        api_server_publish(server, CHANGE_ADDED, "servedmodels", "m", 12, model);
        api_server_publish(server, CHANGE_MODIFIED, "nodes", "m", 15, model);
        api_server_publish(server, CHANGE_DELETED, "servedmodels", "m", 18, model);
    }
    json_decref(model);
    return server;
}

/* --- calls ------------------------------------------------------------------------------------ */

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

static void decode(char *text)
{
    char *out = text;

    for (const char *in = text; *in; in++) {
        if (*in == '%' && hex(in[1]) >= 0 && hex(in[2]) >= 0) {
            *out = (char)(hex(in[1]) * 16 + hex(in[2]));
            out += *out != '\0';
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = '\0';
}

static void add_part(struct part *parts, size_t *n, char *text, const char *between)
{
    char *value = strstr(text, between);

    if (*n == PARTS)
        return;
    if (value)
        *value = '\0';
    parts[*n].name = text;
    parts[(*n)++].value = value ? value + strlen(between) : text + strlen(text);
}

/* "METHOD PATH?QUERY\nName: value\n...\n\nbody"; the parts point into `text`. */
static void read_call(struct httpd_call *call, char *text, size_t size)
{
    char *rest = text, *line = strsep(&rest, "\n"), *query;

    call->method = strsep(&line, " ");
    call->path = line ? line : call->method + strlen(call->method);
    query = strchr(call->path, '?');
    if (query)
        *query++ = '\0';
    decode(call->path);
    while (query && *query) {
        char *part = strsep(&query, "&");

        add_part(call->query, &call->n_query, part, "=");
    }
    for (size_t i = 0; i < call->n_query; i++) {
        decode(call->query[i].name);
        decode(call->query[i].value);
    }
    while (rest && (line = strsep(&rest, "\n")) && *line)
        add_part(call->headers, &call->n_headers, line, ": ");
    call->body = rest ? rest : text + size;
    call->n_body = size - (size_t)(call->body - text);
}

static void check_answer(const struct httpd_call *call)
{
    json_t *status;

    MUST(call->answers == 1);
    if (call->status < 400)
        return;
    status = json_loads(call->answer, 0, NULL);
    MUST(json_integer_value(json_object_get(status, "code")) == call->status);
    MUST(json_string_length(json_object_get(status, "reason")) > 0);
    json_decref(status);
}

static void check_stream(struct httpd_stream *s)
{
    char *rest = xstrdup(strbuf_text(&s->text)), *text = rest, *line;

    while ((line = strsep(&rest, "\n")) && *line) {
        json_t *value = json_loads(line, 0, NULL);

        MUST(json_string_length(json_object_get(value, "type")) > 0);
        json_decref(value);
    }
    free(text);
    s->closed(s->data);
    strbuf_done(&s->text);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_server *server = server_once();
    const struct httpd_options *o = &the_server.options;
    char *text = fuzz_text(data, size);
    struct httpd_call call = { 0 };

    (void)server;
    puts_left = size % 7 == 0 ? 3 : 0;
    read_call(&call, text, size);
    call.too_long = call.n_body > o->admit(o->data, &call);
    if (!call.answers)
        o->handler(o->data, &call);
    while (call.again) {
        httpd_handler_fn *fn = call.again;

        call.again = NULL;
        fn(call.again_data, &call);
    }
    check_answer(&call);
    if (call.stream)
        check_stream(call.stream);
    call.release(call.attached);
    free(call.answer);
    free(text);
    return 0;
}
