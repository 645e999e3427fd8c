/* Kubeconfig files and the directory of a pod: what is read, what wins, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/kube_client/kube_config.h"
#include "controller/kube_client/kube_memfd.h"
#include "proto/base/array.h"
#include "proto/base/file.h"

static char folder[] = "/tmp/huddle-kube-config-XXXXXX";
static const char *const NAMES[] = {
    "a.yaml", "b.yaml", "ca.crt", "token", "namespace", "key.pem"
};

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static unsigned turn;
    char *p = path[turn++ % 4];

    (void)snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text)
{
    struct err e = ERR_INIT;

    if (file_replace(in_folder(name), text, strlen(text), 0600, &e) < 0)
        fail_msg("%s", e.text);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        (void)unlink(in_folder(NAMES[i]));
    return rmdir(folder);
}

/* A kubeconfig of one context, with these lines for cluster and user. */
static void put_one(const char *cluster, const char *user)
{
    char text[2048];

    (void)snprintf(text, sizeof(text),
                   "apiVersion: v1\nkind: Config\ncurrent-context: x\n"
                   "contexts:\n- name: x\n  context: {cluster: c, user: u, namespace: team}\n"
                   "clusters:\n- name: c\n  cluster:\n    %s\n"
                   "users:\n- name: u\n  user:\n    %s\n",
                   cluster, user);
    put("a.yaml", text);
}

static struct kube_config *load_names(const char *names, const char *context)
{
    struct kube_config *c = NULL;
    struct err e = ERR_INIT;

    if (kube_config_load(&(struct kube_config_choice){ .files = names, .context = context }, &c,
                         &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

static struct kube_config *load(void)
{
    return load_names(in_folder("a.yaml"), NULL);
}

static void refused(int code, const char *words)
{
    struct kube_config *c = NULL;
    struct err e = ERR_INIT;
    int r = kube_config_load(&(struct kube_config_choice){ .files = in_folder("a.yaml") }, &c, &e);

    if (r != code || !strstr(e.text, words))
        fail_msg("%d, %s; expected %d, %s", r, e.text, code, words);
}

/* --- what is read ----------------------------------------------------------------------------- */

static void all_of_a_file_is_read(void **state)
{
    struct kube_config *c;
    char text[16];
    struct stat s;
    int fd;

    (void)state;
    put_one("server: https://10.0.0.1:6443/prefix/\n"
            "    tls-server-name: api.example\n"
            "    proxy-url: socks5://proxy:1080\n"
            "    certificate-authority-data: Q0EgYXMgUEVN",
            "client-certificate-data: Y2VydA==\n"
            "    client-key-data: a2V5\n"
            "    token: abc\n"
            "    as: ann\n"
            "    as-uid: '7'\n"
            "    as-groups: [one, two]\n"
            "    as-user-extra: {'a b/c': [x, y]}");
    c = load();
    assert_string_equal(c->server, "https://10.0.0.1:6443/prefix");
    assert_string_equal(c->tls_server_name, "api.example");
    assert_string_equal(c->proxy_url, "socks5h://proxy:1080");
    assert_string_equal(c->namespace, "team");
    assert_non_null(strstr(c->source, "a.yaml, context x"));
    assert_string_equal(c->token, "abc");
    assert_string_equal(c->impersonate.user, "ann");
    assert_string_equal(c->impersonate.uid, "7");
    assert_int_equal(c->impersonate.groups.n, 2);
    assert_string_equal(c->impersonate.groups.item[1], "two");
    assert_int_equal(c->impersonate.extra.n, 2);
    assert_string_equal(c->impersonate.extra.item[1], "Impersonate-Extra-a%20b%2Fc: y");
    assert_null(c->exec);
    fd = open(c->ca_file, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 9);
    assert_memory_equal(text, "CA as PEM", 9);
    assert_int_equal(fstat(fd, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);
    close(fd);
    assert_true(open(c->key_file, O_RDWR | O_TRUNC) < 0 || write(c->memfd[2], "x", 1) < 0);
    assert_int_equal(fcntl(c->memfd[2], F_GETFD), FD_CLOEXEC);
    assert_string_not_equal(c->cert_file, c->key_file);
    kube_config_free(c);
}

static void paths_are_relative_to_their_file(void **state)
{
    struct kube_config *c;

    (void)state;
    put("ca.crt", "x");
    put("key.pem", "x");
    put_one("server: https://h:1\n    certificate-authority: ca.crt",
            "client-certificate: ca.crt\n    client-key: key.pem\n    tokenFile: token\n"
            "    token: beaten");
    c = load();
    assert_string_equal(c->ca_file, in_folder("ca.crt"));
    assert_string_equal(c->key_file, in_folder("key.pem"));
    assert_string_equal(c->token_file, in_folder("token"));
    kube_config_free(c);
    put_one("server: https://h:1\n    certificate-authority: gone.crt", "token: x");
    refused(-EINVAL, "clusters[0].cluster.certificate-authority: ");
}

static void the_first_file_that_has_it_wins(void **state)
{
    struct kube_config *c;
    char names[256];

    (void)state;
    put("a.yaml", "clusters:\n- name: c\n  cluster: {server: 'https://first:1'}\n"
                  "contexts:\n- name: y\n  context: {cluster: d, user: v}\n"
                  "users:\n- name: v\n  user: {}\n");
    put("b.yaml", "current-context: x\n"
                  "clusters:\n- name: c\n  cluster: {server: 'https://second:1', tls-server-name: "
                  "n}\n- name: d\n  cluster: {server: 'https://other:1'}\n"
                  "contexts:\n- name: x\n  context: {cluster: c, user: v}\n"
                  "users:\n- name: v\n  user: {token: t}\n");
    (void)snprintf(names, sizeof(names), "%s/none.yaml:%s::%s", folder, in_folder("a.yaml"),
                   in_folder("b.yaml"));
    c = load_names(names, NULL);
    assert_string_equal(c->server, "https://first:1");
    assert_string_equal(c->tls_server_name, ""); /* an entry is not mixed of two */
    assert_string_equal(c->token, "");
    assert_string_equal(c->namespace, "default");
    kube_config_free(c);
    c = load_names(names, "y");
    assert_string_equal(c->server, "https://other:1");
    kube_config_free(c);
}

static void plugins_are_read(void **state)
{
    struct kube_config *c;

    (void)state;
    put_one("server: https://h:1\n"
            "    extensions:\n"
            "    - name: client.authentication.k8s.io/exec\n"
            "      extension: {audience: 7}",
            "exec:\n"
            "      apiVersion: client.authentication.k8s.io/v1\n"
            "      command: ./bin/plugin\n"
            "      args: [get, token]\n"
            "      env: [{name: Z, value: '1'}, {name: A, value: '2'}]\n"
            "      installHint: |\n"
            "        get it\n"
            "        somewhere\n"
            "      provideClusterInfo: true\n"
            "      interactiveMode: Never");
    c = load();
    assert_non_null(c->exec);
    assert_string_equal(c->exec->command, in_folder("./bin/plugin"));
    assert_string_equal(c->exec->args.item[1], "token");
    assert_string_equal(string_map_get(&c->exec->env, "Z"), "1");
    assert_string_equal(string_map_get(&c->exec->env, "A"), "2");
    assert_int_equal(c->exec->interactive, KUBE_INTERACTIVE_NEVER);
    assert_true(c->exec->provide_cluster_info);
    assert_string_equal(c->exec->cluster_config, "{\"audience\":7}");
    assert_string_equal(c->exec->install_hint, "get it\nsomewhere\n");
    kube_config_free(c);
    put_one("server: https://h:1",
            "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: plugin}");
    c = load();
    assert_string_equal(c->exec->command, "plugin");
    assert_int_equal(c->exec->interactive, KUBE_INTERACTIVE_IF_AVAILABLE);
    kube_config_free(c);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void refusals_name_the_place(void **state)
{
    static const struct {
        const char *cluster, *user;
        int code;
        const char *words;
    } cases[] = {
        { "server: h:1", "token: x", -EINVAL, "a.yaml:10:5: clusters[0].cluster.server: " },
        { "server: https://a@b:1", "token: x", -EINVAL, "cluster.server: expected https://" },
        { "tls-server-name: x", "token: x", -EINVAL, "clusters[0].cluster.server: expected" },
        { "server: 5", "token: x", -EINVAL, "in quotes" },
        { "server: https://h\n    proxy-url: ftp://x", "token: x", -EINVAL, "cluster.proxy-url" },
        { "server: https://h\n    insecure-skip-tls-verify: 1", "token: x", -EINVAL, "true or" },
        { "server: https://h\n    insecure-skip-tls-verify: true\n"
          "    certificate-authority-data: Q0E=",
          "token: x", -EINVAL, "cluster.insecure-skip-tls-verify: a CA is given as well" },
        { "server: https://h\n    certificate-authority-data: Q0E", "token: x", -EINVAL,
          "certificate-authority-data: expected base64" },
        { "server: https://h", "client-certificate-data: Q0E=", -EINVAL, "client-key is missing" },
        { "server: https://h", "client-key-data: Q0E=", -EINVAL, "client-certificate is missing" },
        { "server: https://h", "token: \"a\\nb\"", -EINVAL, "users[0].user.token: " },
        { "server: https://h", "username: x", -ENOTSUP, "users[0].user.username: " },
        { "server: https://h", "auth-provider: {name: gcp}", -ENOTSUP, "gke-gcloud-auth-plugin" },
        { "server: https://h", "as-groups: [x]", -EINVAL, "whom to impersonate" },
        { "server: https://h", "as: a\n    as-groups: x", -EINVAL, "as-groups: expected a list" },
        { "server: https://h", "exec: {command: x}", -ENOTSUP, "users[0].user.exec.apiVersion" },
        { "server: https://h",
          "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}", -ENOTSUP,
          "v1alpha1" },
        { "server: https://h", "exec: {apiVersion: client.authentication.k8s.io/v1}", -EINVAL,
          "exec.command" },
        { "server: https://h", "exec: {command: x, apiVersion: client.authentication.k8s.io/v1}",
          -EINVAL, "exec.interactiveMode: expected Never" },
        { "server: https://h",
          "exec: {command: x, apiVersion: client.authentication.k8s.io/v1beta1, env: [{name: "
          "a=b, value: c}]}",
          -EINVAL, "exec.env: [0]" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put_one(cases[i].cluster, cases[i].user);
        refused(cases[i].code, cases[i].words);
    }
}

static void what_is_missing_is_named(void **state)
{
    struct kube_config *c = NULL;
    struct err e = ERR_INIT;
    int r;

    (void)state;
    put("a.yaml",
        "contexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: d, cluster: {}}]");
    refused(-EINVAL, "current-context is not set");
    put("a.yaml", "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
                  "clusters: [{name: d, cluster: {}}]");
    refused(-EINVAL, "contexts[0].context.cluster: ");
    refused(-EINVAL, "no \"c\" in clusters; there is: d");
    put("a.yaml", "current-context: x\ncontexts: [{name: x, context: {cluster: c}}, {name: x}]");
    refused(-EINVAL, "\"x\" stands there twice");
    put("a.yaml", "[]");
    refused(-EINVAL, "expected a kubeconfig");
    put("a.yaml", "");
    refused(-EINVAL, "current-context");
    r = kube_config_load(&(struct kube_config_choice){ .files = "/nonexistent/x:/nonexistent/y" },
                         &c, &e);
    assert_int_equal(r, -ENOENT);
    assert_non_null(strstr(e.text, "/nonexistent/x:/nonexistent/y: no such kubeconfig"));
}

/* --- in a pod --------------------------------------------------------------------------------- */

static void a_pod_finds_its_server(void **state)
{
    struct kube_config *c = NULL;
    struct err e = ERR_INIT;

    (void)state;
    setenv("HOME", "/nonexistent", 1);
    unsetenv("KUBECONFIG");
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    (void)unlink(in_folder("token"));
    assert_int_equal(kube_config_load(&(struct kube_config_choice){ .in_cluster = folder }, &c, &e),
                     -ENOENT);
    put("token", "t");
    put("ca.crt", "x");
    put("namespace", "huddle-system\n");
    assert_int_equal(kube_config_load(&(struct kube_config_choice){ .in_cluster = folder }, &c, &e),
                     0);
    assert_string_equal(c->server, "https://[fd00::1]:443");
    assert_string_equal(c->token_file, in_folder("token"));
    assert_string_equal(c->ca_file, in_folder("ca.crt"));
    assert_string_equal(c->namespace, "huddle-system");
    kube_config_free(TAKE(c));
    unsetenv("KUBERNETES_SERVICE_PORT");
    assert_int_equal(kube_config_load(&(struct kube_config_choice){ .in_cluster = folder }, &c, &e),
                     -EINVAL);
    assert_non_null(strstr(e.text, "KUBERNETES_SERVICE_PORT"));
    put_one("server: https://h:1", "token: x");
    setenv("KUBECONFIG", in_folder("a.yaml"), 1);
    assert_int_equal(kube_config_load(&(struct kube_config_choice){ 0 }, &c, &e), 0);
    assert_string_equal(c->server, "https://h:1");
    kube_config_free(TAKE(c));
    unsetenv("KUBECONFIG");
    assert_int_equal(kube_config_load(&(struct kube_config_choice){ 0 }, &c, &e), -ENOENT);
    assert_non_null(strstr(e.text, "no kubeconfig"));
}

static void base64_is_decoded(void **state)
{
    static const char *const good[][2] = { { "YQ==", "a" },
                                           { "YWI=", "ab" },
                                           { "YWJj", "abc" },
                                           { "YW\r\nJjZA==\n", "abcd" },
                                           { "++//", "\xfb\xef\xff" } };
    static const char *const bad[] = { "",     "Y",        "YQ",   "YQ=",  "Y===",
                                       "====", "YQ==YQ==", "Y-Q=", "YQ=a", "YWJj=" };
    char text[8], *path;
    struct err e = ERR_INIT;
    int fd;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_int_equal(kube_memfd_base64(good[i][0], &fd, &path, &e), 0);
        assert_int_equal(pread(fd, text, sizeof(text), 0), strlen(good[i][1]));
        assert_memory_equal(text, good[i][1], strlen(good[i][1]));
        assert_int_equal(access(path, R_OK), 0);
        close(fd);
        free(path);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (kube_memfd_base64(bad[i], &fd, &path, &e) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_file_is_read),
        cmocka_unit_test(paths_are_relative_to_their_file),
        cmocka_unit_test(the_first_file_that_has_it_wins),
        cmocka_unit_test(plugins_are_read),
        cmocka_unit_test(refusals_name_the_place),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_pod_finds_its_server),
        cmocka_unit_test(base64_is_decoded),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
