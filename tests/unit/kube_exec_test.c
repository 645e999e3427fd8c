/* Exec credential plugins: what they are told, what they say, when they are run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/kube_client/kube_client.h"
#include "controller/kube_client/kube_exec.h"
#include "controller/kube_client/kube_exec_text.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/file.h"
#include "proto/base/httpd.h"
#include "proto/base/strbuf.h"

#define PATIENCE_MS 60000
#define V1 "client.authentication.k8s.io/v1"
#define CREDENTIAL "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1 "\",\"status\":"

static char folder[] = "/tmp/huddle-kube-exec-XXXXXX";
static const char *const NAMES[] = { "plugin", "runs", "cert.pem", "key.pem", "new" };

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];

    (void)snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

/* A plugin that counts its runs and then does `script`. */
static void put_plugin(const char *script)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    struct err e = ERR_INIT;

    strbuf_printf(&text, "#!/bin/sh\necho run >>%s\n%s\n", in_folder("runs"), script);
    if (file_replace(in_folder("plugin"), strbuf_text(&text), text.length, 0700, &e) < 0)
        fail_msg("%s", e.text);
    (void)unlink(in_folder("runs"));
}

static int runs(void)
{
    struct stat s;

    return stat(in_folder("runs"), &s) < 0 ? 0 : (int)s.st_size / 4;
}

static void put(char **text, const char *value)
{
    free(*text);
    *text = xstrdup(value);
}

static struct kube_config *config_with_plugin(void)
{
    struct kube_config *c = kube_config_new();

    c->exec = xcalloc(1, sizeof(*c->exec));
    put(&c->exec->api_version, V1);
    put(&c->exec->command, in_folder("plugin"));
    put(&c->exec->install_hint, "");
    put(&c->exec->cluster_config, "");
    put(&c->server, "https://10.0.0.1:6443");
    return c;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void a_plugin_is_told_of_the_cluster_where_it_asks(void **state)
{
    struct kube_config *c = config_with_plugin();
    char *info = kube_exec_info(c, "CA as PEM", 9);

    (void)state;
    assert_string_equal(info, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
                              "\",\"spec\":{\"interactive\":false}}");
    free(info);
    c->exec->provide_cluster_info = true;
    put(&c->exec->cluster_config, "{\"audience\":7}");
    put(&c->tls_server_name, "api.example");
    put(&c->proxy_url, "http://p:1");
    info = kube_exec_info(c, "CA as PEM", 9);
    assert_string_equal(info, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"" V1
                              "\",\"spec\":{\"interactive\":false,\"cluster\":{\"server\":"
                              "\"https://10.0.0.1:6443\",\"tls-server-name\":\"api.example\","
                              "\"certificate-authority-data\":\"Q0EgYXMgUEVN\",\"proxy-url\":"
                              "\"http://p:1\",\"config\":{\"audience\":7}}}}");
    free(info);
    kube_config_free(c);
}

static void what_a_plugin_says_is_checked(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "", "no ExecCredential" },
        { "secret", "no ExecCredential on its stdout (6 bytes)" },
        { "{\"kind\":\"Pod\"}", "no ExecCredential" },
        { "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
          "\"status\":{\"token\":\"secret\"}}",
          "another apiVersion" },
        { CREDENTIAL "null}", "no status" },
        { CREDENTIAL "{}}", "neither token nor certificate" },
        { CREDENTIAL "{\"token\":\"secret\\nX: y\"}}", "control characters" },
        { CREDENTIAL "{\"clientCertificateData\":\"secret\"}}", "without its key" },
        { CREDENTIAL "{\"clientKeyData\":\"secret\"}}", "without its key" },
        { CREDENTIAL "{\"token\":\"secret\",\"expirationTimestamp\":\"soon\"}}", "RFC 3339" },
        { CREDENTIAL "{\"token\":\"secret\",\"expirationTimestamp\":5}}", "RFC 3339" },
    };
    const char *good =
        CREDENTIAL "{\"token\":\"t\",\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\","
                   "\"expirationTimestamp\":\"1970-01-01T00:00:01Z\"}}";
    struct kube_exec_said said;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(kube_exec_read(V1, bad[i].text, strlen(bad[i].text), &said, &e), -EINVAL);
        assert_non_null(strstr(e.text, bad[i].words));
        assert_null(strstr(e.text, "secret"));
    }
    assert_int_equal(kube_exec_read(V1, good, strlen(good), &said, &e), 0);
    assert_string_equal(said.token, "t");
    assert_string_equal(said.certificate, "c");
    assert_string_equal(said.key, "k");
    assert_int_equal(said.until_wall_ms, 1000);
    kube_exec_said_done(&said);
}

/* --- one plugin ------------------------------------------------------------------------------- */

struct world {
    struct loop *loop;
    struct loop_timer *alarm;
    struct kube_config *config;
    struct kube_plugin *plugin;
    struct httpd *httpd;
    struct kube_client *client;
    pthread_mutex_t lock;
    char good[64]; /* the token that the server takes */
    int asked;
};

static void on_alarm(void *data, int64_t now_ms)
{
    (void)data;
    (void)now_ms;
    fail_msg("nothing happened");
}

static void on_ready(void *data)
{
    loop_stop(((struct world *)data)->loop, 0);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    struct err e = ERR_INIT;

    *state = w;
    pthread_mutex_init(&w->lock, NULL);
    if (loop_new(&w->loop, &e) < 0)
        return -1;
    w->alarm = loop_timer_add(w->loop, on_alarm, NULL);
    loop_timer_arm(w->alarm, clock_boot_ms() + PATIENCE_MS);
    w->config = config_with_plugin();
    w->plugin = kube_plugin_new(w->loop, w->config, on_ready, w);
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kube_plugin_free(w->plugin);
    kube_config_free(w->config);
    kube_client_free(w->client);
    httpd_free(w->httpd);
    loop_timer_remove(w->alarm);
    loop_free(w->loop);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return 0;
}

/* Asks until there is an answer. */
static int ask(struct world *w, int64_t now_ms, struct kube_plugin_said *said, struct err *e)
{
    int r = kube_plugin_get(w->plugin, now_ms, said, e);

    if (r <= 0)
        return r;
    assert_int_equal(loop_run(w->loop), 0);
    return kube_plugin_get(w->plugin, now_ms, said, e);
}

static void what_it_said_is_kept_until_it_expires(void **state)
{
    struct world *w = *state;
    char script[256], until[CLOCK_TEXT_MAX];
    struct kube_plugin_said said;
    int64_t now_ms = clock_boot_ms();
    struct err e = ERR_INIT;

    clock_format(clock_wall_ms() + 600000, until);
    (void)snprintf(script, sizeof(script),
                   "echo '" CREDENTIAL "{\"token\":\"t\",\"expirationTimestamp\":\"%s\"}}'", until);
    put_plugin(script);
    if (ask(w, now_ms, &said, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(said.token, "t");
    assert_null(said.cert_file);
    assert_int_equal(ask(w, now_ms + 500000, &said, &e), 0);
    assert_int_equal(runs(), 1);
    assert_int_equal(kube_plugin_get(w->plugin, now_ms + 700000, &said, &e), 1);
    assert_int_equal(loop_run(w->loop), 0);
    assert_int_equal(runs(), 2);
}

static void what_comes_expired_is_shown_all_the_same(void **state)
{
    struct world *w = *state;
    struct kube_plugin_said said;
    int64_t now_ms;
    struct err e = ERR_INIT;

    put_plugin("echo '" CREDENTIAL "{\"token\":\"t\",\"expirationTimestamp\":"
               "\"2001-01-01T00:00:00Z\"}}'");
    assert_int_equal(ask(w, 1, &said, &e), 0);
    now_ms = loop_now_ms(w->loop);
    assert_int_equal(kube_plugin_get(w->plugin, now_ms + 9000, &said, &e), 0);
    assert_string_equal(said.token, "t");
    assert_int_equal(kube_plugin_get(w->plugin, now_ms + 11000, &said, &e), 1);
}

static void a_refusal_runs_it_once(void **state)
{
    struct world *w = *state;
    int64_t now_ms = clock_boot_ms();
    struct kube_plugin_said said;
    struct err e = ERR_INIT;

    put_plugin("echo '" CREDENTIAL "{\"token\":\"t\"}}'");
    assert_int_equal(ask(w, now_ms, &said, &e), 0);
    assert_true(kube_plugin_refused(w->plugin, said.generation, now_ms));
    assert_int_equal(kube_plugin_get(w->plugin, now_ms, &said, &e), 1);
    assert_true(kube_plugin_refused(w->plugin, said.generation, now_ms)); /* it runs */
    assert_int_equal(loop_run(w->loop), 0);
    assert_true(kube_plugin_refused(w->plugin, said.generation, now_ms)); /* there is a newer one */
    assert_int_equal(ask(w, now_ms, &said, &e), 0);
    assert_int_equal(runs(), 2);
    assert_false(kube_plugin_refused(w->plugin, said.generation, now_ms + 9000));
    assert_true(kube_plugin_refused(w->plugin, said.generation, now_ms + 11000));
    assert_int_equal(ask(w, now_ms + 11000, &said, &e), 0);
    assert_int_equal(runs(), 3);
}

static void assert_file(const char *path, const char *expected)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n;

    assert_int_equal(file_read(path, 100, &text, &n, &e), 0);
    assert_string_equal(text, expected);
}

static void certificates_come_as_files_in_memory(void **state)
{
    struct world *w = *state;
    struct kube_plugin_said said;
    char cert_before[64];
    struct err e = ERR_INIT;

    put_plugin("echo '" CREDENTIAL
               "{\"clientCertificateData\":\"CERT\",\"clientKeyData\":\"KEY\"}}'");
    assert_int_equal(ask(w, 1, &said, &e), 0);
    assert_null(said.token);
    assert_file(said.cert_file, "CERT");
    assert_file(said.key_file, "KEY");
    (void)snprintf(cert_before, sizeof(cert_before), "%s", said.cert_file);
    assert_true(kube_plugin_refused(w->plugin, said.generation, 1));
    assert_int_equal(ask(w, 1, &said, &e), 0);
    assert_string_not_equal(said.cert_file, cert_before);
    assert_file(cert_before, "CERT"); /* for the connection that is being made */
}

static void it_gets_arguments_and_environment_and_no_shell(void **state)
{
    struct world *w = *state;
    struct kube_exec *x = w->config->exec;
    struct kube_plugin_said said;
    struct err e = ERR_INIT;

    setenv("HUDDLE_TEST_OURS", "ours", 1);
    setenv("HUDDLE_TEST_BOTH", "ours", 1);
    x->args.item = xcalloc(1, sizeof(char *));
    x->args.item[x->args.n++] = xstrdup("$(id);x");
    x->env.pair = xcalloc(1, sizeof(*x->env.pair));
    x->env.pair[x->env.n++] =
        (struct string_pair){ xstrdup("HUDDLE_TEST_BOTH"), xstrdup("theirs") };
    put_plugin("read line && exit 9\n"
               "case \"$KUBERNETES_EXEC_INFO\" in *ExecCredential*) ;; *) exit 8;; esac\n"
               "[ \"$1\" = '$(id);x' ] || exit 7\n"
               "[ $# = 1 ] || exit 6\n"
               "echo '" CREDENTIAL "{\"token\":\"'$HUDDLE_TEST_OURS-$HUDDLE_TEST_BOTH'\"}}'");
    if (ask(w, 1, &said, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(said.token, "ours-theirs");
}

static void a_command_without_a_slash_is_found_in_path(void **state)
{
    struct world *w = *state;
    AUTO(mem) char *before = xstrdup(getenv("PATH"));
    AUTO(strbuf) struct strbuf path = STRBUF_INIT;
    struct kube_plugin_said said;
    struct err e = ERR_INIT;

    put_plugin("echo '" CREDENTIAL "{\"token\":\"t\"}}'");
    put(&w->config->exec->command, "plugin");
    assert_int_equal(mkdir(in_folder("dir"), 0700), 0);
    assert_int_equal(file_replace(in_folder("dir/plugin"), "", 0, 0600, &e), 0);
    strbuf_printf(&path, "/nonexistent::%s/dir:%s:%s", folder, folder, before);
    setenv("PATH", strbuf_text(&path), 1);
    assert_int_equal(ask(w, 1, &said, &e), 0);
    setenv("PATH", before, 1);
    (void)unlink(in_folder("dir/plugin"));
    (void)rmdir(in_folder("dir"));
}

static void refused(struct world *w, int code, const char *words)
{
    struct kube_plugin_said said;
    struct err e = ERR_INIT;
    int r;

    kube_plugin_free(w->plugin);
    w->plugin = kube_plugin_new(w->loop, w->config, on_ready, w);
    r = ask(w, loop_now_ms(w->loop), &said, &e);
    if (r != code || !strstr(e.text, words) || strstr(e.text, "secret"))
        fail_msg("%d, %s; expected %d, %s", r, e.text, code, words);
}

static void failures_name_the_plugin_and_the_way_out(void **state)
{
    struct world *w = *state;
    struct kube_plugin_said said;
    struct err e = ERR_INIT;
    int64_t now_ms;

    put_plugin("echo secret; printf 'log in first\\033[1m\\n' >&2; exit 3");
    refused(w, -EIO, "plugin: ended with exit code 3: log in first [1m");
    now_ms = loop_now_ms(w->loop);
    assert_int_equal(ask(w, now_ms + 1000, &said, &e), -EIO);
    assert_int_equal(runs(), 1);
    assert_int_equal(kube_plugin_get(w->plugin, now_ms + 6000, &said, &e), 1);
    put_plugin("echo secret");
    refused(w, -EINVAL, "gave no ExecCredential on its stdout (7 bytes)");
    put_plugin("kill -9 $$");
    refused(w, -EIO, "was ended by signal 9");
    put_plugin("head -c 1500000 /dev/zero");
    refused(w, -EFBIG, "wrote more than 1048576 bytes");
    w->config->exec->interactive = KUBE_INTERACTIVE_ALWAYS;
    refused(w, -ENOTSUP, "wants a terminal");
    w->config->exec->interactive = KUBE_INTERACTIVE_NEVER;
    put(&w->config->exec->command, "huddle-no-such-plugin");
    put(&w->config->exec->install_hint, "get it at example.com");
    refused(w, -ENOENT, "No such file or directory; get it at example.com");
    put(&w->config->exec->command, in_folder("cert.pem"));
    refused(w, -EACCES, "Permission denied");
}

/* --- with a client ---------------------------------------------------------------------------- */

static void handle(void *data, struct httpd_call *call)
{
    struct world *w = data;
    const char *who = httpd_header(call, "Authorization");

    pthread_mutex_lock(&w->lock);
    w->asked++;
    if (who && strncmp(who, "Bearer ", 7) == 0 && strcmp(who + 7, w->good) == 0)
        httpd_reply(call, 200, "application/json", "{}", 2);
    else
        httpd_reply(call, 401, "application/json", "{}", 2);
    pthread_mutex_unlock(&w->lock);
}

static void connect_client(struct world *w)
{
    struct httpd_options o = { .address = "127.0.0.1",
                               .cert_file = in_folder("cert.pem"),
                               .key_file = in_folder("key.pem"),
                               .header_ms = PATIENCE_MS,
                               .handler = handle,
                               .data = w };
    struct kube_config *c = config_with_plugin();
    struct strbuf server = STRBUF_INIT;
    struct err e = ERR_INIT;

    if (httpd_new(&o, &w->httpd, &e) < 0)
        fail_msg("%s", e.text);
    strbuf_printf(&server, "https://127.0.0.1:%u", httpd_port(w->httpd));
    put(&c->server, strbuf_text(&server));
    put(&c->ca_file, in_folder("cert.pem"));
    strbuf_done(&server);
    assert_int_equal(kube_client_new(w->loop, c, &w->client, &e), 0);
}

static enum kube_reason get(struct world *w, struct err *e)
{
    struct kube_request rq = { .path = "/x" };
    struct kube_status status;

    return kube_fetch(w->client, &rq, &status, NULL, e) < 0 ? KUBE_UNREACHABLE : status.reason;
}

static void a_client_shows_what_the_plugin_says(void **state)
{
    struct world *w = *state;
    char script[256];
    struct err e = ERR_INIT;

    (void)snprintf(script, sizeof(script),
                   "t=old; [ -e %s ] && t=new\necho '" CREDENTIAL "{\"token\":\"'$t'\"}}'",
                   in_folder("new"));
    put_plugin(script);
    connect_client(w);
    strcpy(w->good, "old");
    if (get(w, &e) != KUBE_OK || get(w, &e) != KUBE_OK)
        fail_msg("%s", e.text);
    assert_int_equal(runs(), 1);
    assert_int_equal(w->asked, 2);
    strcpy(w->good, "new");
    assert_int_equal(file_replace(in_folder("new"), "", 0, 0600, &e), 0);
    assert_int_equal(get(w, &e), KUBE_OK); /* refused, run again, shown */
    assert_int_equal(runs(), 2);
    assert_int_equal(w->asked, 4);
    strcpy(w->good, "other");
    assert_int_equal(get(w, &e), KUBE_UNAUTHORIZED); /* it was run for that already */
    assert_int_equal(runs(), 2);
}

static void a_plugin_that_fails_is_told_to_the_caller(void **state)
{
    struct world *w = *state;
    struct err e = ERR_INIT;

    put_plugin("exit 4");
    connect_client(w);
    assert_int_equal(get(w, &e), KUBE_UNREACHABLE);
    assert_non_null(strstr(e.text, "plugin: ended with exit code 4"));
    assert_int_equal(w->asked, 0);
}

static int make_folder(void **state)
{
    char command[512];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(command, sizeof(command),
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=huddle -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s "
                   ">/dev/null 2>&1",
                   in_folder("key.pem"), in_folder("cert.pem"));
    return system(command);
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        (void)unlink(in_folder(NAMES[i]));
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_is_told_of_the_cluster_where_it_asks),
        cmocka_unit_test(what_a_plugin_says_is_checked),
        TEST(what_it_said_is_kept_until_it_expires),
        TEST(what_comes_expired_is_shown_all_the_same),
        TEST(a_refusal_runs_it_once),
        TEST(certificates_come_as_files_in_memory),
        TEST(it_gets_arguments_and_environment_and_no_shell),
        TEST(a_command_without_a_slash_is_found_in_path),
        TEST(failures_name_the_plugin_and_the_way_out),
        TEST(a_client_shows_what_the_plugin_says),
        TEST(a_plugin_that_fails_is_told_to_the_caller),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
