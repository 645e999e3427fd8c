/* The demand of the fortnight arena: an excerpt against an independent computation, and, where the
 * data is, the check values of its protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/simulate/clairvoyant.h"
#include "tests/bench/fortnight_arena.h"
#include "tests/unit/skip.h"

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Two clients, three windows, the second a gap. The numbers come from a program in another
 * language, written from the protocol's text: Stream(1, 1, client, window), 40 gamma variates. */
static void an_excerpt_by_hand(void **state)
{
    char folder[] = "/tmp/huddle-fortnight-XXXXXX", path[256];
    struct clients c;
    struct fortnight f;
    struct err e = ERR_INIT;
    double sum = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_text(folder, "chunk-0-trace.csv", "0,2,1,Gamma,0,0\n600,0,0,,0,0\n1200,1,1,Gamma,0,0\n");
    write_text(folder, "chunk-1-trace.csv", "0,6,.5,Gamma,0,0\n600,0,0,,0,0\n1200,0,0,,0,0\n");
    assert_int_equal(clients_read(folder, 3, &c, &e), 0);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.n_gaps, 1);
    fortnight_init(&f, &c, 2, 1);
    assert_true(fabs(f.rate[0] - 6.092164899901917) < 1e-12); /* the busier one is model 0 */
    assert_true(fabs(f.rate[2] - 5.868586594337035) < 1e-12);
    assert_true(fabs(f.rate[120] - 1.9275290808483636) < 1e-12);
    assert_true(fabs(f.rate[120 + 40] - 2.0672680318232003e0) < 1e-7); /* the gap, as before it */
    assert_true(f.rate[80] == 0);
    assert_true(f.blind[40] && f.blind[79] && !f.blind[39] && !f.blind[80]);
    for (int t = 0; t < 40; t++)
        sum += f.rate[120 + t];
    assert_true(fabs(sum - 40 * 2) < 1e-9); /* a window's total is exact */
    /* the fullest window: 1 * 6 + 2 * 2 = 10 */
    assert_true(fabs(f.capacity - 10 / (48.0 * 8)) < 1e-12);
    fortnight_done(&f);
    clients_done(&c);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof(path), "%s/chunk-%d-trace.csv", folder, i);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void a_short_file_is_named(void **state)
{
    char folder[] = "/tmp/huddle-fortnight-XXXXXX", path[256];
    struct clients c;
    struct err e = ERR_INIT;

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_text(folder, "chunk-0-trace.csv", "0,2,1\n");
    assert_int_equal(clients_read(folder, 3, &c, &e), -22);
    assert_non_null(strstr(e.text, "chunk-0-trace.csv:2"));
    (void)snprintf(path, sizeof(path), "%s/chunk-0-trace.csv", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

struct expected {
    const char *name;
    double capacity, sum, first, most;
    uint32_t most_model;
    size_t most_step, gaps;
    double need;  /* mean nodes */
    double bound; /* kWh, setting G */
};

static void check(const char *data, const struct expected *x)
{
    struct load_times l = { 0 };
    struct rack_hardware hw;
    struct clients c;
    struct fortnight f;
    struct err e = ERR_INIT;
    double sum = 0, need = 0;
    char path[4096];

    (void)snprintf(path, sizeof(path), "%s/servegen/%s", data, x->name);
    assert_int_equal(clients_read(path, FORTNIGHT_WINDOWS, &c, &e), 0);
    fortnight_init(&f, &c, 4, 1);
    for (uint32_t m = 0; m < 4; m++)
        for (size_t t = 0; t < f.load.n_steps; t++) {
            sum += f.rate[m * f.load.n_steps + t];
            need += f.load.model[m].slots * f.rate[m * f.load.n_steps + t] / (8 * f.capacity);
        }
    assert_true(fabs(f.capacity - x->capacity) < 5.1e-5);
    assert_true(fabs(sum - x->sum) < 5.1e-5);
    assert_true(fabs(f.rate[0] - x->first) < 5.1e-10);
    assert_true(fabs(f.rate[x->most_model * f.load.n_steps + x->most_step] - x->most) < 5.1e-7);
    assert_int_equal(c.n_gaps, x->gaps);
    assert_true(fabs(need / (double)f.load.n_steps - x->need) < 5.1e-3);
    (void)snprintf(path, sizeof(path), "%s/genai/basemodel_update_latency_anon.csv", data);
    assert_int_equal(load_times_read(path, &l, &e), 0);
    assert_int_equal(l.n_s, 7531);
    hw = fortnight_hardware('G', &l);
    assert_true(fabs(bound_joules(&hw, &f.load) / 3.6e6 - x->bound) < 0.51);
    free(l.s);
    fortnight_done(&f);
    clients_done(&c);
}

/* The protocol's second implementation gave these on m-small. */
static void always_on_to_the_digit(void **state)
{
    const char *data = getenv("HUDDLE_DATA");
    struct load_times l = { 0 };
    struct clients c;
    struct fortnight f;
    struct rack_hardware hw;
    struct entry on;
    struct err e = ERR_INIT;
    char path[4096];

    (void)state;
    data = data ? data : "../shared/data";
    if (access(data, R_OK) != 0)
        SKIP("always_on_to_the_digit", "HUDDLE_DATA names no folder with servegen/");
    (void)snprintf(path, sizeof(path), "%s/genai/basemodel_update_latency_anon.csv", data);
    assert_int_equal(load_times_read(path, &l, &e), 0);
    (void)snprintf(path, sizeof(path), "%s/servegen/m-small", data);
    assert_int_equal(clients_read(path, FORTNIGHT_WINDOWS, &c, &e), 0);
    fortnight_init(&f, &c, 4, 1);
    hw = fortnight_hardware('G', &l);
    on = fortnight_always_on(&hw, &f, 1);
    assert_true(fabs(on.kwh - 74854.19) < 5.1e-3);
    assert_true(fabs(100 * on.unserved - 0.003932) < 5.1e-7);
    assert_true(fabs(100 * on.late - 0.314549) < 5.1e-7);
    assert_true(on.loads == 7661);
    free(l.s);
    fortnight_done(&f);
    clients_done(&c);
}

static void the_protocols_check_values(void **state)
{
    static const struct expected sets[] = {
        { "m-large", 2.7193, 15792855.0667, 120.730338977, 475.291044, 3, 46973, 0, 16.63, 47429 },
        { "m-small", 18.3933, 96682952.4667, 475.278398700, 6188.100850, 1, 59905, 37, 14.08,
          40643 },
    };
    const char *data = getenv("HUDDLE_DATA");

    (void)state;
    data = data ? data : "../shared/data";
    if (access(data, R_OK) != 0)
        SKIP("the_protocols_check_values", "HUDDLE_DATA names no folder with servegen/");
    check(data, &sets[0]);
    check(data, &sets[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_excerpt_by_hand),
        cmocka_unit_test(a_short_file_is_named),
        cmocka_unit_test(the_protocols_check_values),
        cmocka_unit_test(always_on_to_the_digit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
