/* runtimes.d: what is read, what is refused and in which words. */
#include "tests/unit/runtimes_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_example_shows_every_key),
        TEST(malformed_files_are_refused_whole_with_their_place),
        TEST(a_folder_holds_what_ends_in_yaml),
        TEST(what_others_may_write_is_refused_with_the_way_out),
        TEST(what_is_no_file_is_refused),
        TEST(users_are_looked_up),
        cmocka_unit_test(uid_maps_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
