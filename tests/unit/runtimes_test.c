/* runtimes.d: what is read, what is refused and in which words, and what reaches a command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/replica/runtimes.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

struct world {
    char root[64], folder[96], models[96];
    struct runtimes *r;
    struct launch launch;
    struct err e;
};

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

static void put(const struct world *w, const char *name, const char *text)
{
    char path[160];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0644), 0);
}

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));

    (void)snprintf(w->root, sizeof(w->root), "/tmp/huddle-runtimes-XXXXXX");
    assert_non_null(mkdtemp(w->root));
    (void)snprintf(w->folder, sizeof(w->folder), "%s/runtimes.d", w->root);
    (void)snprintf(w->models, sizeof(w->models), "%s/models", w->root);
    assert_int_equal(mkdir(w->folder, 0755), 0);
    shell("mkdir -p %s/sub && touch %s/a.bin %s/sub/b.bin && touch %s/secret && ln -s ../secret "
          "%s/way-out && ln -s sub/b.bin %s/inside",
          w->models, w->models, w->models, w->root, w->models, w->models);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    runtimes_free(w->r);
    launch_done(&w->launch);
    shell("rm -rf %s", w->root);
    free(w);
    return 0;
}

static int load(struct world *w)
{
    runtimes_free(TAKE(w->r));
    memset(&w->e, 0, sizeof(w->e));
    return runtimes_load(w->folder, &w->r, &w->e);
}

#define assert_says(w, part)                                              \
    do {                                                                  \
        if (!strstr((w)->e.text, (part)))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (w)->e.text, (part)); \
    } while (0)

/* One of each type, as a person would write it. */
static void put_server(struct world *w)
{
    char text[2048];

    (void)snprintf(
        text, sizeof(text),
        "name: server\n"
        "exec: /usr/bin/server\n"
        "fixed: [--quiet]\n"
        "arguments:\n"
        "  model: {type: path, under: %s, flag: --model, required: true}\n"
        "  context: {type: integer, least: 512, most: 4096, flag: --ctx, default: 1024}\n"
        "  mode: {type: word, words: [chat, embedding], flag: --mode=}\n"
        "  metrics: {type: boolean, flag: --metrics}\n"
        "  peer: {type: port, flag: --peer}\n"
        "  share: {type: number, least: 0, most: 1, flag: --share}\n"
        "  title: {}\n"
        "port: {flag: --port, least: 8000, most: 8999}\n"
        "environment: [OMP_NUM_THREADS]\n"
        "variables: {HF_HOME: /srv/hf, LANG: C}\n"
        "cpu: 4\n"
        "memory: 1Gi\n"
        "openFiles: 100\n",
        w->models);
    put(w, "server.yaml", text);
    assert_int_equal(load(w), 0);
}

struct given {
    const char *key, *value;
};

static int resolve(struct world *w, const char *runtime, const struct given *given, uint32_t port)
{
    struct wire_pair arguments[8];
    struct wire_desired d = {
        .uid = "m-1", .model = "m", .runtime = runtime, .port = port, .arguments = arguments
    };

    for (; given && given[d.n_arguments].key; d.n_arguments++)
        arguments[d.n_arguments] =
            (struct wire_pair){ given[d.n_arguments].key, given[d.n_arguments].value };
    launch_done(&w->launch);
    memset(&w->e, 0, sizeof(w->e));
    return runtimes_resolve(w->r, &d, false, &w->launch, &w->e);
}

static void assert_argv(const struct world *w, const char *expected)
{
    struct strbuf line = STRBUF_INIT;

    for (size_t i = 0; i < w->launch.n_argv; i++)
        strbuf_printf(&line, "%s%s", i ? " " : "", w->launch.argv[i]);
    assert_string_equal(strbuf_text(&line), expected);
    assert_null(w->launch.argv[w->launch.n_argv]);
    strbuf_done(&line);
}

static void read_whole(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    assert_int_equal(fclose(f), 0);
}

/* Every key that the reader says it knows at `where` is in the example and in the manual page. */
static void assert_shown(struct world *w, const char *where, const char *example,
                         const char *manual)
{
    char text[256], *word;
    unsigned n = 0;

    (void)snprintf(text, sizeof(text), "name: x\nexec: /x\n%s", where);
    put(w, "odd.yaml", text);
    assert_int_equal(load(w), -EINVAL);
    word = strstr(w->e.text, "expected one of: ");
    assert_non_null(word);
    for (word = strtok(word + 17, " "); word; word = strtok(NULL, " "), n++) {
        (void)snprintf(text, sizeof(text), "%s:", word);
        if (!strstr(example, text) || !strstr(manual, word))
            fail_msg("%s is not shown", word);
    }
    assert_true(n >= 4);
    assert_int_equal(unlink(strcat(strcpy(text, w->folder), "/odd.yaml")), 0);
}

static void the_example_shows_every_key(void **state)
{
    struct world *w = *state;
    char example[4096], manual[16384], *under, own[4200], expected[256];

    read_whole("deploy/examples/runtimes.d/llama-server.yaml", example, sizeof(example));
    read_whole("deploy/man/huddle-agent.8", manual, sizeof(manual));
    assert_shown(w, "zzzzzz: 1\n", example, manual);
    assert_shown(w, "port: {zzzzzz: 1}\n", example, manual);
    assert_shown(w, "arguments: {a: {zzzzzz: 1}}\n", example, manual);
    under = strstr(example, "/srv/models,");
    assert_non_null(under);
    (void)snprintf(own, sizeof(own), "%.*s%s%s", (int)(under - example), example, w->models,
                   under + strlen("/srv/models"));
    under = strstr(own, "user: llama");
    assert_non_null(under);
    memcpy(under, "user: root ", strlen("user: llama")); /* one that every machine has */
    put(w, "llama-server.yaml", own);
    if (load(w) < 0)
        fail_msg("%s", w->e.text);
    if (resolve(w, "llama-server", (struct given[]){ { "model", "a.bin" }, { NULL, NULL } }, 8080))
        fail_msg("%s", w->e.text);
    (void)snprintf(expected, sizeof(expected),
                   "/usr/bin/llama-server --no-webui --metrics --model %s/a.bin --ctx-size 4096 "
                   "--temp 0.7 --port 8080",
                   w->models);
    assert_argv(w, expected);
}

static void types_become_words_in_the_order_of_the_file(void **state)
{
    struct world *w = *state;
    char expected[512];

    put_server(w);
    assert_int_equal(resolve(w, "server",
                             (struct given[]){ { "title", "a title" },
                                               { "share", "0.25" },
                                               { "peer", "9000" },
                                               { "metrics", "true" },
                                               { "mode", "chat" },
                                               { "model", "inside" },
                                               { NULL, NULL } },
                             8080),
                     0);
    (void)snprintf(expected, sizeof(expected),
                   "/usr/bin/server --quiet --model %s/sub/b.bin --ctx 1024 --mode=chat --metrics "
                   "--peer 9000 --share 0.25 a title --port 8080",
                   w->models);
    assert_argv(w, expected);
    assert_string_equal(launch_variable_get(&w->launch, "PORT"), "8080");
    assert_string_equal(launch_variable_get(&w->launch, "HUDDLE_REPLICA"), "m-1");
    assert_string_equal(launch_variable_get(&w->launch, "HUDDLE_MODEL"), "m");
    assert_string_equal(launch_variable_get(&w->launch, "HF_HOME"), "/srv/hf");
    assert_string_equal(launch_variable_get(&w->launch, "LANG"), "C");
    assert_string_equal(launch_variable_get(&w->launch, "CUDA_VISIBLE_DEVICES"), "");
    assert_null(w->launch.envp[w->launch.n_envp]);
    assert_int_equal(w->launch.cpu_milli, 4000); /* the ceiling, where nothing was asked for */
    assert_int_equal(w->launch.memory_bytes, 1 << 30);
    assert_int_equal(w->launch.open_files, 100);
}

static void a_value_of_another_type_is_refused(void **state)
{
    static const struct {
        const char *key, *value, *says;
    } cases[] = {
        { "context", "511", "arguments.context: 511 is out of range, expected 512 to 4096" },
        { "context", "4097", "out of range" },
        { "context", "99999999999999999999", "out of range" },
        { "context", "1k", "not a whole number" },
        { "context", " 600", "not a whole number" },
        { "context", "+600", "not a whole number" },
        { "context", "", "not a whole number" },
        { "mode", "Chat", "\"Chat\" is not one of: chat, embedding" },
        { "metrics", "yes", "expected true or false" },
        { "peer", "0", "expected 1 to 65535" },
        { "peer", "65536", "expected 1 to 65535" },
        { "share", "1.5", "expected 0 to 1" },
        { "share", "nan", "not a number" },
        { "share", "0x1", "not a number" },
        { "title", "--trust-remote-code", "begins with \"-\"" },
        { "title", "a\nb", "control byte 0x0a" },
        { "model", "../secret", "\"..\" is not accepted" },
        { "model", "sub/../a.bin", "\"..\" is not accepted" },
        { "model", "/etc/passwd", "expected a path below" },
        { "model", "/etc/not-there", "expected a path below" },
        { "model", "way-out", "a symbolic link leads out of" },
        { "model", "none.bin", "No such file" },
        { "model", "", "empty, expected a path below" },
        { "modell", "a.bin", "arguments.modell: not known; did you mean \"model\"?" },
        { "quantum", "1", "known are: model, context, mode" },
    };
    struct world *w = *state;

    put_server(w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct given given[] = { { "model", "a.bin" }, { NULL, NULL }, { NULL, NULL } };
        bool model = strcmp(cases[i].key, "model") == 0;

        given[model ? 0 : 1] = (struct given){ cases[i].key, cases[i].value };
        assert_true(resolve(w, "server", given, 8080) < 0);
        assert_says(w, cases[i].says);
        assert_says(w, "runtime server: ");
        assert_null(w->launch.argv);
    }
    assert_int_equal(resolve(w, "server", NULL, 8080), -EINVAL);
    assert_says(w, "arguments.model: missing, the runtime requires it");
}

static void absolute_paths_below_the_folder_are_accepted(void **state)
{
    struct world *w = *state;
    char path[160];

    put_server(w);
    (void)snprintf(path, sizeof(path), "%s/sub/b.bin", w->models);
    assert_int_equal(
        resolve(w, "server", (struct given[]){ { "model", path }, { NULL, NULL } }, 8000), 0);
    assert_string_equal(w->launch.argv[3], path);
    /* A neighbour whose name only begins alike is outside. */
    shell("cp -r %s %s-evil", w->models, w->models);
    (void)snprintf(path, sizeof(path), "%s-evil/a.bin", w->models);
    assert_int_equal(
        resolve(w, "server", (struct given[]){ { "model", path }, { NULL, NULL } }, 8000), -EINVAL);
}

static void ports_stay_within_their_range(void **state)
{
    struct world *w = *state;
    struct given model[] = { { "model", "a.bin" }, { NULL, NULL } };

    put_server(w);
    assert_int_equal(resolve(w, "server", model, 7999), -EINVAL);
    assert_says(w, "port: 7999 is out of range, expected 8000 to 8999");
    assert_int_equal(resolve(w, "server", model, 0), -EINVAL);
    assert_says(w, "port: missing");
    assert_int_equal(resolve(w, "server", model, 70000), -EINVAL);
    put(w, "plain.yaml", "name: plain\nexec: /bin/x\n");
    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "plain", NULL, 0), 0);
    assert_argv(w, "/bin/x");
    assert_null(launch_variable_get(&w->launch, "PORT"));
    assert_int_equal(resolve(w, "plain", NULL, 80), 0);
    assert_argv(w, "/bin/x");
    assert_string_equal(launch_variable_get(&w->launch, "PORT"), "80");
}

static void a_port_is_proxied_only_where_it_is_said(void **state)
{
    struct world *w = *state;
    struct wire_desired d = { .runtime = "engine" };

    put_server(w);
    put(w, "engine.yaml", "name: engine\nexec: /bin/x\nport: {proxied: true}\n");
    assert_int_equal(load(w), 0);
    assert_true(runtimes_port_is_proxied(w->r, &d));
    d.runtime = "server";
    assert_false(runtimes_port_is_proxied(w->r, &d));
    d.runtime = ""; /* a free command */
    assert_false(runtimes_port_is_proxied(w->r, &d));
}

static void more_than_the_ceiling_is_refused(void **state)
{
    struct world *w = *state;
    struct wire_pair model = { "model", "a.bin" };
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "server",
                              .port = 8000,
                              .arguments = &model,
                              .n_arguments = 1 };

    put_server(w);
    d.cpu_milli = 4001;
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), -EACCES);
    assert_says(w, "resources.cpu (milli): 4001 wanted, this node's runtime allows 4000");
    d.cpu_milli = 500;
    d.memory_bytes = (1u << 30) + 1;
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), -EACCES);
    assert_says(w, "resources.memory");
    d.memory_bytes = 1 << 20;
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), 0);
    assert_int_equal(w->launch.cpu_milli, 500);
    assert_int_equal(w->launch.memory_bytes, 1 << 20);
}

static void only_listed_variables_may_be_set(void **state)
{
    static const struct {
        const char *key;
        int code;
        const char *says;
    } cases[] = {
        { "LD_PRELOAD", -EACCES, "environment.LD_PRELOAD: not one that the runtime lets" },
        { "PORT", -EINVAL, "environment.PORT: set by huddle itself" },
        { "HUDDLE_REPLICA", -EINVAL, "set by huddle itself" },
        { "A=B", -EINVAL, "not a name of a variable" },
        { "", -EINVAL, "not a name of a variable" },
        { "OMP_NUM_THREADS", 0, "" },
    };
    struct world *w = *state;
    struct wire_pair model = { "model", "a.bin" };

    put_server(w);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire_pair variable = { cases[i].key, "4" };
        uint32_t gpus[] = { 1, 3 };
        struct wire_desired d = { .uid = "m-1",
                                  .model = "m",
                                  .runtime = "server",
                                  .port = 8000,
                                  .arguments = &model,
                                  .n_arguments = 1,
                                  .environment = &variable,
                                  .n_environment = 1,
                                  .gpus = gpus,
                                  .n_gpus = 2 };

        launch_done(&w->launch);
        memset(&w->e, 0, sizeof(w->e));
        assert_int_equal(runtimes_resolve(w->r, &d, false, &w->launch, &w->e), cases[i].code);
        assert_says(w, cases[i].says);
    }
    assert_string_equal(launch_variable_get(&w->launch, "OMP_NUM_THREADS"), "4");
    assert_string_equal(launch_variable_get(&w->launch, "CUDA_VISIBLE_DEVICES"), "1,3");
}

static void an_unknown_runtime_names_the_known_ones(void **state)
{
    struct world *w = *state;

    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "server", NULL, 1), -ENOENT);
    assert_says(w, "known are: none (its runtimes.d is empty)");
    put_server(w);
    put(w, "other.yaml", "name: another\nexec: /bin/x\n");
    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "servr", NULL, 1), -ENOENT);
    assert_says(w, "did you mean \"server\"?");
    assert_int_equal(resolve(w, "whatever", NULL, 1), -ENOENT);
    assert_says(w, "known are: another, server");
    assert_int_equal(resolve(w, "", NULL, 1), -EINVAL);
    assert_says(w, "neither a runtime nor a command");
}

static void free_commands_need_the_nodes_own_consent(void **state)
{
    struct world *w = *state;
    const char *command[] = { "sh", "-c", "exit 0" }, *missing[] = { "no-such-program" };
    struct wire_pair preload = { "LD_PRELOAD", "x.so" };
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "",
                              .command = command,
                              .n_command = 3,
                              .environment = &preload,
                              .n_environment = 1,
                              .cpu_milli = 7,
                              .memory_bytes = 8 };

    put_server(w);
    assert_int_equal(runtimes_resolve(w->r, &d, false, &w->launch, &w->e), -EACCES);
    assert_says(w, "allowCommands");
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), 0);
    assert_int_equal(w->launch.argv[0][0], '/');
    assert_int_equal(w->launch.n_argv, 3);
    assert_int_equal(w->launch.cpu_milli, 7);
    assert_int_equal(w->launch.memory_bytes, 8);
    assert_string_equal(launch_variable_get(&w->launch, "LD_PRELOAD"), "x.so");
    launch_done(&w->launch);
    d.command = missing;
    d.n_command = 1;
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), -ENOENT);
    assert_says(w, "no such program");
    d.runtime = "server";
    assert_int_equal(runtimes_resolve(w->r, &d, true, &w->launch, &w->e), -EINVAL);
    assert_says(w, "expected one of the two");
}

static void a_readiness_command_is_a_free_command(void **state)
{
    struct world *w = *state;
    const char *command[] = { "/bin/true", "x" };
    struct wire_pair model = { "model", "a.bin" };
    struct wire_desired d = { .uid = "m-1",
                              .model = "m",
                              .runtime = "server",
                              .port = 8000,
                              .arguments = &model,
                              .n_arguments = 1,
                              .readiness = {
                                  .kind = PROBE_EXEC, .command = command, .n_command = 2 } };

    put_server(w);
    assert_int_equal(runtimes_resolve_probe(w->r, &d, false, &w->launch, &w->e), -EACCES);
    assert_says(w, "readiness.command: this node runs no free commands");
    assert_int_equal(runtimes_resolve_probe(w->r, &d, true, &w->launch, &w->e), 0);
    assert_argv(w, "/bin/true x");
    assert_string_equal(launch_variable_get(&w->launch, "PORT"), "8000");
    launch_done(&w->launch);
    d.readiness.n_command = 0;
    assert_int_equal(runtimes_resolve_probe(w->r, &d, true, &w->launch, &w->e), -EINVAL);
}

static void malformed_files_are_refused_whole_with_their_place(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        { "exec: /bin/x\n", "name: expected 1 to 63 lower-case letters" },
        { "name: Bad\nexec: /bin/x\n", "bad.yaml:1:1: name: expected" },
        { "name: x\nexec: bin/x\n", "bad.yaml:2:1: exec: expected the absolute path" },
        { "name: x\n", "exec: expected the absolute path" },
        { "name: x\nexe: /bin/x\n", "bad.yaml:2:1: exe: unknown field; did you mean \"exec\"?" },
        { "name: [x]\nexec: /bin/x\n", "name: expected a string, not a list" },
        { "name: x\nexec: /bin/x\narguments: [a]\n",
          "bad.yaml:3:1: arguments: expected a mapping of names to their types, not a list" },
        { "name: x\nexec: /bin/x\narguments:\n  a: word\n",
          "bad.yaml:4:3: arguments.a: expected a mapping" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: int}\n",
          "bad.yaml:4:7: arguments.a.type: \"int\" is not one of: path integer" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {tpye: integer}\n",
          "arguments.a.tpye: unknown field; did you mean \"type\"?" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: path}\n",
          "bad.yaml:4:3: arguments.a.under: expected an absolute path" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: path, under: models}\n",
          "bad.yaml:4:19: arguments.a.under: expected an absolute path" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: integer, under: /x}\n",
          "only type path takes it" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: word}\n", "type word needs it" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {words: [b]}\n", "only type word takes it" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: integer, least: 5, most: 4}\n",
          "arguments.a.least: greater than most" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {least: 5}\n", "are for numbers" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: integer, least: 5, default: 4}\n",
          "arguments.a.default: 4 is out of range" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {default: [1]}\n", "not a list" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: boolean}\n", "begins with \"-\"" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {type: boolean, flag: --a=}\n",
          "without \"=\"" },
        { "name: x\nexec: /bin/x\narguments:\n  a: {flag: model}\n", "begins with \"-\"" },
        { "name: x\nexec: /bin/x\nport: {least: 9, most: 8}\n", "least is greater than most" },
        { "name: x\nexec: /bin/x\nport: {flag: port}\n", "begins with \"-\"" },
        { "name: x\nexec: /bin/x\nport: {most: 70000}\n", "port.most" },
        { "name: x\nexec: /bin/x\nport: {proxied: 1}\n", "port.proxied" },
        { "name: x\nexec: /bin/x\nenvironment: [A B]\n", "expected names of letters" },
        { "name: x\nexec: /bin/x\nenvironment: [PORT]\n", "huddle sets PORT" },
        { "name: x\nexec: /bin/x\nvariables: {HUDDLE_X: 1}\n", "huddle sets PORT" },
        { "name: x\nexec: /bin/x\ncpu: lots\n", "cpu" },
        { "name: x\nexec: /bin/x\nname: y\n", "stands here twice" },
        { "name: x\nexec: /bin/x\n---\nname: y\nexec: /bin/y\n", "2 documents" },
        { "", "0 documents" },
        { "name: &a x\nexec: *a\n", "not accepted" },
        { "name: x\n  exec: {\n", "bad.yaml:" },
    };
    struct world *w = *state;

    put(w, "good.yaml", "name: good\nexec: /bin/x\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        put(w, "bad.yaml", cases[i].text);
        assert_true(load(w) < 0);
        assert_null(w->r);
        assert_says(w, cases[i].says);
    }
}

static void a_folder_holds_what_ends_in_yaml(void **state)
{
    struct world *w = *state;
    const char *const *names;

    put(w, "b.yaml", "name: beta\nexec: /bin/x\n");
    put(w, "z.yaml", "name: alpha\nexec: /bin/x\n");
    put(w, "b.yaml~", "not read");
    put(w, ".hidden.yaml", "not read");
    put(w, "README", "not read");
    assert_int_equal(load(w), 0);
    assert_int_equal(runtimes_names(w->r, &names), 2);
    assert_string_equal(names[0], "alpha");
    assert_string_equal(names[1], "beta");
    put(w, "c.yaml", "name: beta\nexec: /bin/y\n");
    assert_int_equal(load(w), -EEXIST);
    assert_says(w, "two files define the runtime \"beta\"");
    shell("rm -r %s", w->folder);
    assert_int_equal(load(w), 0);
    assert_int_equal(runtimes_names(w->r, &names), 0);
}

static void what_others_may_write_is_refused_with_the_way_out(void **state)
{
    struct world *w = *state;
    char path[160];

    put(w, "a.yaml", "name: a\nexec: /bin/x\n");
    (void)snprintf(path, sizeof(path), "%s/a.yaml", w->folder);
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(load(w), -EPERM);
    assert_says(w, "try: chmod go-w");
    assert_int_equal(chmod(path, 0646), 0);
    assert_int_equal(load(w), -EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chmod(w->folder, 0777), 0);
    assert_int_equal(load(w), -EPERM);
    assert_says(w, "runtimes.d: its group or others may write it");
    assert_int_equal(chmod(w->folder, 0755), 0);
    assert_int_equal(load(w), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_int_equal(load(w), -EPERM);
        assert_says(w, "owned by uid 12345");
        assert_says(w, "try: chown root");
    }
}

static void what_is_no_file_is_refused(void **state)
{
    struct world *w = *state;

    shell("mkfifo %s/a.yaml", w->folder); /* must not hang */
    assert_true(load(w) < 0);
    shell("rm %s/a.yaml && ln -s /nowhere %s/a.yaml", w->folder, w->folder);
    assert_int_equal(load(w), -ENOENT);
    shell("rm %s/a.yaml && head -c 1100000 /dev/zero >%s/a.yaml", w->folder, w->folder);
    assert_int_equal(load(w), -EFBIG);
}

static void users_are_looked_up(void **state)
{
    struct world *w = *state;

    put(w, "a.yaml", "name: a\nexec: /bin/x\nuser: no-such-user-here\n");
    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "a", NULL, 0), -ENOENT);
    assert_says(w, "user no-such-user-here: this node knows no such user");
    put(w, "a.yaml", "name: a\nexec: /bin/x\nuser: nobody\n");
    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "a", NULL, 0), 0);
    assert_true(w->launch.switch_user);
    assert_int_not_equal(w->launch.uid, 0);
    assert_string_equal(launch_variable_get(&w->launch, "USER"), "nobody");
    put(w, "a.yaml", "name: a\nexec: /bin/x\n");
    assert_int_equal(load(w), 0);
    assert_int_equal(resolve(w, "a", NULL, 0), 0);
    /* Without a user: never root, unless root is the only one that there is. */
    assert_true(w->launch.switch_user ? w->launch.uid != 0 : !*launch_default_user());
}

static void uid_maps_are_read(void **state)
{
    (void)state;
    assert_true(uid_map_holds("         0          0 4294967295\n", 65534));
    assert_false(uid_map_holds("         0       1000          1\n", 65534));
    assert_true(uid_map_holds("0 1000 1\n1 100000 65536\n", 65534));
    assert_false(uid_map_holds("", 0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_example_shows_every_key),
        TEST(types_become_words_in_the_order_of_the_file),
        TEST(a_value_of_another_type_is_refused),
        TEST(absolute_paths_below_the_folder_are_accepted),
        TEST(ports_stay_within_their_range),
        TEST(a_port_is_proxied_only_where_it_is_said),
        TEST(more_than_the_ceiling_is_refused),
        TEST(only_listed_variables_may_be_set),
        TEST(an_unknown_runtime_names_the_known_ones),
        TEST(free_commands_need_the_nodes_own_consent),
        TEST(a_readiness_command_is_a_free_command),
        TEST(malformed_files_are_refused_whole_with_their_place),
        TEST(a_folder_holds_what_ends_in_yaml),
        TEST(what_others_may_write_is_refused_with_the_way_out),
        TEST(what_is_no_file_is_refused),
        TEST(users_are_looked_up),
        cmocka_unit_test(uid_maps_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
