/* Files written whole. */
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

#include "proto/base/cleanup.h"
#include "proto/base/file.h"

static char folder[] = "/tmp/file_test.XXXXXX";
static char path[64], aside[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/x", folder);
    snprintf(aside, sizeof(aside), "%s/x.new", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)rmdir(aside);
    return rmdir(folder);
}

static void assert_content(const char *expected)
{
    AUTO(mem) char *text = NULL;
    size_t n;

    assert_int_equal(file_read(path, 100, &text, &n, NULL), 0);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
}

static void what_was_written_is_read(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(file_replace(path, "one", 3, 0640, NULL), 0);
    assert_content("one");
    assert_int_equal(file_replace(path, "", 0, 0600, NULL), 0);
    assert_content("");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_not_equal(access(aside, F_OK), 0);
}

static void what_fails_leaves_the_old(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(file_replace(path, "old", 3, 0600, NULL), 0);
    assert_int_equal(mkdir(aside, 0700), 0);
    assert_int_equal(file_replace(path, "new", 3, 0600, &e), -EISDIR);
    assert_non_null(strstr(e.text, path));
    assert_content("old");
    assert_int_equal(rmdir(aside), 0);
    assert_int_equal(file_replace("/proc/no/x", "", 0, 0600, &e), -ENOENT);
}

static void reading_has_a_limit(void **state)
{
    AUTO(mem) char *text = NULL;
    struct err e = ERR_INIT;
    size_t n = 7;

    (void)state;
    assert_int_equal(file_replace(path, "12345", 5, 0600, NULL), 0);
    assert_int_equal(file_read(path, 4, &text, &n, &e), -EFBIG);
    assert_null(text);
    assert_int_equal(n, 7);
    assert_int_equal(file_read(aside, 4, &text, &n, &e), -ENOENT);
    assert_int_equal(file_read(folder, 4, &text, &n, &e), -EISDIR);
    assert_int_equal(file_read(path, 5, &text, &n, &e), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_fails_leaves_the_old),
        cmocka_unit_test(reading_has_a_limit),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
