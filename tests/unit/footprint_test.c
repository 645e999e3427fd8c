/* footprint: what is given back comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/footprint.h"

static unsigned long file_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    unsigned long kib = 0;
    char line[256];

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) && sscanf(line, "RssFile: %lu kB", &kib) != 1)
        ;
    (void)fclose(file);
    return kib;
}

static const char *const words[] = { "some", "relocated", "pointers" };

static void all_goes_on_as_before(void **state)
{
    unsigned long before = file_kib();
    char text[64];

    (void)state;
    footprint_init();
    assert_true(footprint_shrink() > 100000);
    if (before > 0) /* kernels before 4.5 do not tell */
        assert_true(file_kib() < before);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "%s %.3f", words[i], sqrt(2.0));
        assert_true(strlen(text) > 8 && strstr(text, "1.414"));
        assert_true(strtod("2.5e3", NULL) == 2500);
    }
    (void)footprint_shrink();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_goes_on_as_before) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
