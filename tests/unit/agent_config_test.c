/* What the agent's configuration makes of the node's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"

static int load(const char *text, struct agent_config **ret, struct err *e)
{
    char file[] = "/tmp/huddle-agent-config-XXXXXX";
    int fd = mkstemp(file), r;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
    r = agent_config_load(file, ret, e);
    assert_int_equal(unlink(file), 0);
    return r;
}

static void named(const char *environment, const char *text, const char *node)
{
    AUTO(agent_config) struct agent_config *c = NULL;
    struct err e = ERR_INIT;

    if (environment)
        assert_int_equal(setenv("HUDDLE_NODE", environment, 1), 0);
    else
        assert_int_equal(unsetenv("HUDDLE_NODE"), 0);
    if (load(text, &c, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(c->node, node);
}

static void the_file_comes_before_the_environment_before_the_host_name(void **state)
{
    char host[256] = "";

    (void)state;
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    named("n7", "controller: {url: http://127.0.0.1:7443}\nnode: a1\n", "a1");
    named("n7", "controller: {url: http://127.0.0.1:7443}\n", "n7");
    named("", "controller: {url: http://127.0.0.1:7443}\n", host);
    named(NULL, "controller: {url: http://127.0.0.1:7443}\n", host);
}

static void a_name_that_cannot_be_is_refused_wherever_it_is_from(void **state)
{
    struct agent_config *c = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(setenv("HUDDLE_NODE", "N7", 1), 0);
    assert_int_equal(load("controller: {url: http://127.0.0.1:7443}\n", &c, &e), -EINVAL);
    assert_non_null(strstr(e.text, "node: expected lower-case letters"));
    assert_null(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_comes_before_the_environment_before_the_host_name),
        cmocka_unit_test(a_name_that_cannot_be_is_refused_wherever_it_is_from),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
