/* huddle-agent join: see join.h. */
#include "agent/join.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/enrolment.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/http.h"
#include "proto/base/strbuf.h"
#include "proto/certificate.h"

#define EXIT_USAGE 2
#define IDENTITY_DIR "/var/lib/huddle-agent/identity"
#define ANSWER_MOST 200

static const char HELP[] =
    "usage: huddle-agent join URL --token TOKEN --ca sha256:HEX [--node NAME] [--identity DIR]\n"
    "                         [--config FILE]\n"
    "\n"
    "Gets this node a certificate of the controller's authority. `huddle-controller init` and\n"
    "`huddlectl token join` print the command. Writes a configuration that uses it, unless there "
    "is\n"
    "one. The agent renews it by itself.\n"
    "\n"
    "  --token TOKEN    join token; shown only to a controller that is proven to be the right one\n"
    "  --ca sha256:HEX  public key of the controller's authority\n"
    "  --node NAME      name of this node; by default that of the configuration, HUDDLE_NODE, or "
    "the\n"
    "                   host name\n"
    "  --identity DIR   folder for key, certificate and authorities [" IDENTITY_DIR "]\n"
    "  --config FILE    the configuration [" AGENT_CONFIG_FILE "]\n";

struct join {
    const char *url, *token, *ca, *node, *dir, *config;
    char *node_text;                      /* owned, where `node` was not given */
    char *ca_file, *cert_file, *key_file; /* owned */
    char *key;                            /* owned: the node's, PEM */
    char *agents_url;                     /* owned */
};

/* --- the way to the certificate ------------------------------------------------------------------
 */

/* What a refusal says, in one line. */
static int refused(int status, const char *body, struct err *e)
{
    const char *message = body ? strstr(body, "\"message\":\"") : NULL;
    size_t n = 0;

    if (message) {
        message += strlen("\"message\":\"");
        n = strcspn(message, "\"\\\r\n");
    }
    return err_set(e, -EACCES, "the controller answers %d%s%.*s", status, n ? ": " : "",
                   n < ANSWER_MOST ? (int)n : ANSWER_MOST, n ? message : "");
}

static int fetch(const struct http_request *request, char **ret_body, size_t *ret_n, struct err *e)
{
    AUTO(mem) char *body = NULL;
    int status = http_fetch(request, NULL, NULL, &body, ret_n, e);

    if (status < 0)
        return status;
    if (status != 200)
        return refused(status, body, e);
    *ret_body = TAKE(body);
    return 0;
}

static char *text_of(const char *a, const char *b)
{
    struct strbuf text = STRBUF_INIT;

    strbuf_printf(&text, "%s%s", a, b);
    return strbuf_take(&text);
}

/* From whoever answers; what it says counts only for its public key. */
static int fetch_authority(const struct join *j, struct err *e)
{
    AUTO(mem) char *url = text_of(j->url, "/v1/authorities"), *bundle = NULL, *text = NULL;
    const struct http_request request = { .url = url,
                                          .unverified = true,
                                          .most_bytes = CERTIFICATE_TEXT_MAX - 1 };
    size_t n;
    int r;

    if ((r = fetch(&request, &bundle, &n, e)) < 0)
        return r;
    if ((r = certificate_pick(bundle, j->ca, &text, e)) < 0)
        return err_prefix(e, r,
                          "whoever answers at %s is not the controller of this command, or its "
                          "authority is a new one; nothing was told to it",
                          j->url);
    return enrolment_write(j->ca_file, text, e);
}

static int read_or_make_key(struct join *j, struct err *e)
{
    size_t n;
    int r = file_read(j->key_file, CERTIFICATE_TEXT_MAX - 1, &j->key, &n, e);

    if (r != -ENOENT)
        return r < 0 ? r : 0;
    if ((r = certificate_key(&j->key, e)) < 0)
        return r;
    return enrolment_write(j->key_file, j->key, e);
}

static int enrol(struct join *j, struct err *e)
{
    AUTO(mem) char *url = text_of(j->url, "/v1/enrol"), *request = NULL, *body = NULL;
    struct enrolment a;
    size_t n;
    int r = certificate_request(j->key, j->node, &request, e);

    if (r < 0)
        return r;
    const struct http_request ask = { .method = "POST",
                                      .url = url,
                                      .content_type = "application/x-pem-file",
                                      .body = request,
                                      .body_length = strlen(request),
                                      .ca_file = j->ca_file,
                                      .bearer = j->token };
    if ((r = fetch(&ask, &body, &n, e)) < 0 ||
        (r = enrolment_read(body, n, j->key, j->node, &a, e)) < 0)
        return r;
    if (a.agents_port == 0)
        r = err_set(e, -EINVAL,
                    "the controller has no listener for agents: set agents.listen in its "
                    "configuration, restart it, and join again");
    else
        r = enrolment_store(&a, j->ca_file, j->cert_file, e);
    j->agents_url = join_url(j->url, a.agents_port);
    enrolment_done(&a);
    return r;
}

/* The folder, and the one above, which the unit would make. */
static int make_folders(const struct join *j, struct err *e)
{
    AUTO(mem) char *copy = xstrdup(j->dir);

    (void)mkdir(dirname(copy), 0700);
    if (mkdir(j->dir, 0700) < 0 && errno != EEXIST)
        return err_errno(e, -errno, "%s", j->dir);
    return 0;
}

/* --- the configuration -------------------------------------------------------------------------
 */

char *join_url(const char *url, unsigned port)
{
    const char *host = strstr(url, "://"), *end, *colon = NULL;
    struct strbuf text = STRBUF_INIT;

    host = host ? host + 3 : url;
    end = host + strcspn(host, "/");
    for (const char *at = host; at < end; at++)
        colon = *at == ':' ? at : *at == ']' ? NULL : colon;
    strbuf_add(&text, url, (size_t)((colon ? colon : end) - url));
    strbuf_printf(&text, ":%u", port);
    return strbuf_take(&text);
}

static void config_text(const struct join *j, struct strbuf *out)
{
    strbuf_printf(out,
                  "node: \"%s\"\ncontroller:\n  url: \"%s\"\n  ca: \"%s\"\n  certificate: \"%s\"\n"
                  "  key: \"%s\"\n",
                  j->node, j->agents_url, j->ca_file, j->cert_file, j->key_file);
}

/* True: it was written. */
static bool write_config(const struct join *j)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    AUTO(mem) char *copy = xstrdup(j->config);
    AUTO(fd) int fd = -1;

    strbuf_puts(&text, "# Made by huddle-agent join. All keys: the example agent.yaml.\n");
    config_text(j, &text);
    (void)mkdir(dirname(copy), 0755);
    fd = open(j->config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    if (write(fd, text.data, text.length) == (ssize_t)text.length && fsync(fd) == 0)
        return true;
    (void)unlink(j->config);
    return false;
}

static bool says_so(const struct join *j)
{
    AUTO(agent_config) struct agent_config *c = NULL;

    return agent_config_load(j->config, &c, NULL) == 0 && strcmp(c->node, j->node) == 0 &&
           strcmp(c->controller.url, j->agents_url) == 0 &&
           strcmp(c->controller.ca, j->ca_file) == 0 &&
           strcmp(c->controller.certificate, j->cert_file) == 0 &&
           strcmp(c->controller.key, j->key_file) == 0;
}

static void tell(const struct join *j)
{
    AUTO(strbuf) struct strbuf keys = STRBUF_INIT;

    (void)printf("Node %s has joined: %s\n", j->node, j->cert_file);
    if (write_config(j)) {
        (void)printf("Wrote %s. Start the agent: systemctl enable --now huddle-agent\n", j->config);
    } else if (says_so(j)) {
        (void)printf("%s says so already. Restart the agent if it runs.\n", j->config);
    } else {
        config_text(j, &keys);
        (void)printf("Not written: set these keys in %s:\n\n%s", j->config, strbuf_text(&keys));
    }
}

/* --- arguments ---------------------------------------------------------------------------------
 */

static int usage(const char *what, const char *word)
{
    (void)fprintf(stderr, "huddle-agent join: %s \"%s\"; see huddle-agent join --help\n", what,
                  word);
    return EXIT_USAGE;
}

static void choose_node(struct join *j)
{
    AUTO(agent_config) struct agent_config *c = NULL;
    const char *given = getenv("HUDDLE_NODE");
    char host[HOST_NAME_MAX + 1] = "";

    if (j->node)
        return;
    if (agent_config_load(j->config, &c, NULL) == 0)
        j->node_text = xstrdup(c->node);
    else if (given && *given)
        j->node_text = xstrdup(given);
    else if (gethostname(host, sizeof(host) - 1) == 0)
        j->node_text = xstrdup(host);
    j->node = j->node_text ? j->node_text : "";
}

static int check(struct join *j)
{
    if (!j->token || !j->ca)
        return usage("needed is", j->token ? "--ca" : "--token");
    if (strncmp(j->url, "https://", 8) != 0)
        return usage("expected a URL like https://ctl.example:7443, not", j->url);
    if (!certificate_is_digest(j->ca))
        return usage("--ca: expected sha256: and 64 hexadecimal digits, not", j->ca);
    if (j->dir[0] != '/')
        return usage("--identity: expected an absolute path, not", j->dir);
    choose_node(j);
    if (!certificate_is_node(j->node))
        return usage("--node: expected lower-case letters, digits, - and ., 63 at most, not",
                     j->node);
    return 0;
}

static int take_option(struct join *j, int option)
{
    switch (option) {
    case 't':
        j->token = optarg;
        return 0;
    case 'a':
        j->ca = optarg;
        return 0;
    case 'n':
        j->node = optarg;
        return 0;
    case 'i':
        j->dir = optarg;
        return 0;
    case 'c':
        j->config = optarg;
        return 0;
    default:
        (void)fputs("try: huddle-agent join --help\n", stderr);
        return EXIT_USAGE;
    }
}

/* -1: help was asked for. */
static int read_arguments(struct join *j, int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        { "token", required_argument, NULL, 't' },
        { "ca", required_argument, NULL, 'a' },
        { "node", required_argument, NULL, 'n' },
        { "identity", required_argument, NULL, 'i' },
        { "config", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option, r;

    while ((option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h')
            return -1;
        if ((r = take_option(j, option)))
            return r;
    }
    if (optind + 1 != argc)
        return usage("expected one URL; what is", optind < argc ? argv[optind + 1] : "nothing");
    j->url = argv[optind];
    return check(j);
}

static int run(struct join *j)
{
    AUTO(mem) char *url = xstrdup(j->url);
    struct err e = ERR_INIT;

    for (size_t n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
        url[n - 1] = '\0';
    j->url = url;
    j->ca_file = text_of(j->dir, "/authorities.pem");
    j->cert_file = text_of(j->dir, "/certificate.pem");
    j->key_file = text_of(j->dir, "/key.pem");
    if (make_folders(j, &e) < 0 || fetch_authority(j, &e) < 0 || read_or_make_key(j, &e) < 0 ||
        enrol(j, &e) < 0) {
        (void)fprintf(stderr, "huddle-agent join: %s\n", e.text);
        return EXIT_FAILURE;
    }
    tell(j);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int join_main(int argc, char **argv)
{
    struct join j = { .dir = IDENTITY_DIR, .config = AGENT_CONFIG_FILE };
    int r = read_arguments(&j, argc, argv);

    if (r < 0) {
        (void)fputs(HELP, stdout);
        r = EXIT_SUCCESS;
    } else if (r == 0) {
        r = run(&j);
    }
    if (j.key)
        explicit_bzero(j.key, strlen(j.key));
    free(j.key);
    free(j.node_text);
    free(j.ca_file);
    free(j.cert_file);
    free(j.key_file);
    free(j.agents_url);
    return r;
}
