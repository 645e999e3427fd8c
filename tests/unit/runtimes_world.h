/* A folder runtimes.d and what is read of it, for the tests of both. */
#ifndef HUDDLE_TEST_RUNTIMES_WORLD_H
#define HUDDLE_TEST_RUNTIMES_WORLD_H

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

static inline void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *format, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(command, sizeof(command), format, ap);
    va_end(ap);
    assert_int_equal(system(command), 0);
}

static inline void put(const struct world *w, const char *name, const char *text)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    struct world *w = *state;

    runtimes_free(w->r);
    launch_done(&w->launch);
    shell("rm -rf %s", w->root);
    free(w);
    return 0;
}

static inline int load(struct world *w)
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
static inline void put_server(struct world *w)
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

static inline int resolve(struct world *w, const char *runtime, const struct given *given,
                          uint32_t port)
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

static inline void assert_argv(const struct world *w, const char *expected)
{
    struct strbuf line = STRBUF_INIT;

    for (size_t i = 0; i < w->launch.n_argv; i++)
        strbuf_printf(&line, "%s%s", i ? " " : "", w->launch.argv[i]);
    assert_string_equal(strbuf_text(&line), expected);
    assert_null(w->launch.argv[w->launch.n_argv]);
    strbuf_done(&line);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
