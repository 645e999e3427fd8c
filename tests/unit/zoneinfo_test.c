/* Reading time zones: from the folder, and from nowhere else. */
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

#include "controller/zoneinfo.h"

static char folder[] = "/tmp/huddle-zones-XXXXXX";

static void write_file(const char *name, size_t n)
{
    char path[128];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        assert_int_not_equal(fputc("TZif"[i % 4], f), EOF);
    assert_int_equal(fclose(f), 0);
}

static int make(void **state)
{
    char path[128];

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/Zones", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file("Zones/Here", 6);
    write_file("secret", 4);
    write_file("Long", 70000);
    return 0;
}

static int unmake(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static int load(const char *what, const char *name, char **ret_bytes, size_t *ret_n)
{
    return zoneinfo_load(folder, what, name, ret_bytes, ret_n);
}

static void a_zone_is_read_whole(void **state)
{
    char *bytes = NULL;
    size_t n = 0;

    (void)state;
    assert_int_equal(load("zone", "Zones/Here", &bytes, &n), 0);
    assert_int_equal(n, 6);
    assert_memory_equal(bytes, "TZifTZ", 6);
    free(bytes);
}

static void nothing_else_is_read(void **state)
{
    static const char *const names[] = {
        "", "Zones/../secret", "../etc/passwd", "/etc/passwd", "Zones/There", "Long", "Zones"
    };
    char *bytes = NULL;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(load("zone", names[i], &bytes, &n) < 0);
    assert_int_equal(load("carbon", "secret", &bytes, &n), -ENOENT);
    assert_null(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zone_is_read_whole),
        cmocka_unit_test(nothing_else_is_read),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
