/* Runtimes: what of a model reaches a command line. */
#include "tests/unit/runtimes_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
