/* Which programs and secrets a PowerPool may name: as written, behind links, and what is not there.
 */
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

#include "controller/power/folders.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

/* FOLDER/drivers/{bmc, out -> ../outside/evil, in -> bmc, sub/pdu}, FOLDER/outside/evil,
 * FOLDER/drivers-too/x, FOLDER/alias -> drivers */
static char root[] = "/tmp/huddle-folders-XXXXXX";

static void make(const char *command)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "cd %s && %s", root, command);
    assert_int_equal(system(text), 0);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    make("mkdir -p drivers/sub outside drivers-too && touch drivers/bmc drivers/sub/pdu "
         "outside/evil drivers-too/x && ln -s ../outside/evil drivers/out && "
         "ln -s bmc drivers/in && ln -s drivers alias && ln -s ../outside drivers/door && "
         "ln -s ../outside/none drivers/dangling");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    make("rm -rf drivers outside drivers-too alias");
    return rmdir(root);
}

static void expand(char text[256], const char *path)
{
    (void)snprintf(text, 256, "%s%s", *path == '~' ? root : "", path + (*path == '~'));
}

static int resolve(const char *folder, const char *path, char **ret_real, struct err *e)
{
    char where[256], what[256];
    char *item = where;
    const struct string_list list = { &item, 1 };

    expand(where, folder);
    expand(what, path);
    return power_folders_resolve(&list, "powerDrivers.programs", what, ret_real, e);
}

static void only_what_lies_below(void **state)
{
    static const struct {
        const char *folder, *path;
        int r;
    } CASES[] = {
        { "~/drivers", "~/drivers/bmc", 0 },
        { "~/drivers/", "~/drivers/bmc", 0 },
        { "~/drivers", "~/drivers/sub/pdu", 0 },
        { "~/drivers", "~/drivers//sub/./pdu", 0 },
        { "~/drivers", "~/drivers/in", 0 },
        { "~/alias", "~/alias/bmc", 0 }, /* the folder itself may be a link */
        { "/", "~/outside/evil", 0 },
        { "~/drivers", "~/alias/bmc", -EPERM }, /* not as written */
        { "~/drivers", "~/drivers/out", -EPERM },
        { "~/drivers", "~/drivers/door/evil", -EPERM },
        { "~/drivers", "~/drivers-too/x", -EPERM },
        { "~/drivers", "~/drivers", -EPERM },
        { "~/drivers", "~/drivers/", -EPERM },
        { "~/drivers", "~/outside/none", -EPERM }, /* nothing is told of what is there */
        { "~/drivers", "~/drivers/../outside/evil", -EINVAL },
        { "~/drivers", "~/drivers/sub/..", -EINVAL },
        { "~/drivers", "drivers/bmc", -EINVAL },
        { "~/drivers", "", -EINVAL },
        { "~/drivers", "~/drivers/none", -ENOENT },
        { "~/drivers", "~/drivers/dangling", -ENOENT },
        { "~/drivers", "~/drivers/..hidden", -ENOENT }, /* a name, no way up */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        AUTO(mem) char *real = NULL;
        struct err e = ERR_INIT;
        int r = resolve(CASES[i].folder, CASES[i].path, &real, &e);

        if (r != CASES[i].r)
            fail_msg("%s, %s: %d, %s", CASES[i].folder, CASES[i].path, r, e.text);
        assert_int_equal(real == NULL, r != 0);
        assert_int_equal(e.text[0] != 0, r != 0);
    }
}

static void a_pool_says_what_is_wrong(void **state)
{
    char bmc[256], evil[256], none[256], folder[256], *item = folder;
    const struct string_list list = { &item, 1 }, empty = { NULL, 0 };
    struct string_pair secret = { (char *)"password", evil };
    struct power_folders folders = { &list, &list, &empty };
    struct power_pool pool = { .driver = { .type = (char *)"exec", .program = evil } };
    struct err e = ERR_INIT;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/drivers", root);
    (void)snprintf(bmc, sizeof(bmc), "%s/drivers/bmc", root);
    (void)snprintf(none, sizeof(none), "%s/drivers/none", root);
    (void)snprintf(evil, sizeof(evil), "%s/outside/evil", root);
    assert_int_equal(power_folders_admit(&folders, &pool, &e), -EPERM);
    assert_ptr_equal(strstr(e.text, "spec.driver.program: /"), e.text);
    assert_non_null(strstr(e.text, "powerDrivers.programs: /tmp/"));
    pool.driver.program = bmc;
    assert_int_equal(power_folders_admit(&folders, &pool, &e), 0);
    pool.driver.secrets.pair = &secret;
    pool.driver.secrets.n = 1;
    assert_int_equal(power_folders_admit(&folders, &pool, &e), -EPERM);
    assert_ptr_equal(strstr(e.text, "spec.driver.secrets.password: /"), e.text);
    secret.value = pool.driver.program = none; /* not there yet */
    e = (struct err)ERR_INIT;
    assert_int_equal(power_folders_admit(&folders, &pool, &e), 0);
    assert_string_equal(e.text, "");
    folders.programs = &empty;
    assert_int_equal(power_folders_admit(&folders, &pool, &e), -EPERM);
    assert_non_null(strstr(e.text, "powerDrivers.programs: none"));
    pool.driver.type = (char *)"none"; /* runs nothing */
    assert_int_equal(power_folders_admit(&folders, &pool, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_lies_below),
        cmocka_unit_test(a_pool_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
