/* Files of carbon intensity that policies name, from a folder to the core: read when they are named
 * and when they change, from the allowed folders only, and never believed beyond their end. */
#include "controller/grid_files.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "tests/unit/core_world.h"

static char folder[] = "/tmp/huddle-grid-XXXXXX";

struct rig {
    struct desk desk;
    struct string_list folders;
    char *allowed[1];
    struct grid_files *files;
    char path[64];
    uint32_t told; /* files, in the last look */
};

static const char *below(struct rig *g, const char *name)
{
    (void)snprintf(g->path, sizeof(g->path), "%s/%s", folder, name);
    return g->path;
}

static void write_file(struct rig *g, const char *name, const char *text)
{
    FILE *f = fopen(below(g, name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void tell(void *data, struct controller_event *event)
{
    struct rig *g = data;

    g->told++;
    desk_step(&g->desk, event);
}

static uint32_t look(struct rig *g)
{
    g->told = 0;
    grid_files_look(g->files, g->desk.core, tell, g);
    return g->told;
}

static void begin(struct rig *g)
{
    *g = (struct rig){ 0 };
    g->allowed[0] = folder;
    g->folders = (struct string_list){ g->allowed, 1 };
    g->files = grid_files_new(&g->folders);
    desk_init(&g->desk);
}

static void end(struct rig *g)
{
    grid_files_free(g->files);
    desk_done(&g->desk);
}

static void put(struct rig *g, const char *path)
{
    char text[300];

    (void)snprintf(text, sizeof(text),
                   "{" API "\"kind\":\"PowerPolicy\",\"metadata\":{\"name\":\"p\"},"
                   "\"spec\":{\"carbon\":{\"source\":\"file\",\"path\":\"%s\"}}}",
                   path);
    (void)desk_put(&g->desk, text);
}

/* What the policy shows as its carbon intensity now; NAN: null. */
static double shown(struct rig *g)
{
    json_t *o = controller_get(g->desk.core, "powerpolicies", "p", g->desk.now_ms, g->desk.wall_ms);
    const json_t *v =
        json_object_get(json_object_get(json_object_get(o, "status"), "carbon"), "perKwh");
    double value = json_is_number(v) ? json_number_value(v) : NAN;

    json_decref(o);
    return value;
}

static bool is_told(const struct desk *d, const char *reason, const char *part)
{
    for (size_t i = 0; i < d->fx.n_items; i++)
        if (d->fx.items[i].kind == FX_EVENT && strcmp(d->fx.items[i].event.reason, reason) == 0 &&
            strstr(d->fx.items[i].event.message, part))
            return true;
    return false;
}

static void a_file_is_read_and_read_again(void **state)
{
    struct rig g;

    (void)state;
    begin(&g);
    assert_int_equal(look(&g), 0); /* nobody names any */
    write_file(&g, "de.csv", "2025-06-15T15:00Z,400\n2025-06-15T16:00Z,300\n");
    put(&g, below(&g, "de.csv"));
    assert_true(isnan(shown(&g)));
    assert_int_equal(look(&g), 1);
    assert_true(is_told(&g.desk, "CarbonKnown", "de.csv"));
    assert_true(fabs(shown(&g) - 400) < 1e-9); /* the desk begins at 15:06:40 */
    assert_int_equal(look(&g), 0);
    put(&g, below(&g, "de.csv")); /* again: it is not forgotten meanwhile */
    assert_true(fabs(shown(&g) - 400) < 1e-9);
    assert_int_equal(look(&g), 1);
    write_file(&g, "de.csv", "2025-06-15T15:00Z,250\n"); /* another size */
    assert_int_equal(look(&g), 1);
    assert_true(fabs(shown(&g) - 250) < 1e-9);
    desk_pass(&g.desk, 3600000);
    desk_pass(&g.desk, 1000);
    assert_true(isnan(shown(&g)));
    end(&g);
}

/* What cannot be read leaves the old one, which ends; once is enough to say so. */
static void a_bad_file_changes_nothing(void **state)
{
    struct rig g;

    (void)state;
    begin(&g);
    write_file(&g, "x.csv", "2025-06-15T15:00Z,400\n");
    put(&g, below(&g, "x.csv"));
    assert_int_equal(look(&g), 1);
    write_file(&g, "x.csv", "2025-06-15T15:00Z,400\nnonsense\n");
    assert_int_equal(look(&g), 1);
    assert_true(is_told(&g.desk, "CarbonFileRefused", "x.csv:2:1: expected"));
    assert_true(fabs(shown(&g) - 400) < 1e-9);
    assert_int_equal(look(&g), 0);
    assert_int_equal(unlink(below(&g, "x.csv")), 0);
    assert_int_equal(look(&g), 1);
    assert_true(is_told(&g.desk, "CarbonFileRefused", "No such file"));
    assert_int_equal(look(&g), 0);
    assert_true(fabs(shown(&g) - 400) < 1e-9);
    for (int minute = 0; minute < 55; minute++)
        desk_pass(&g.desk, 60000);
    assert_true(isnan(shown(&g)));
    end(&g);
}

static void its_end_is_told(void **state)
{
    struct rig g;
    bool told = false;

    (void)state;
    begin(&g);
    write_file(&g, "x.csv", "2025-06-15T15:00Z,400\n");
    put(&g, below(&g, "x.csv"));
    assert_int_equal(look(&g), 1);
    for (int minute = 0; minute < 60; minute++) {
        desk_pass(&g.desk, 60000);
        told |= is_told(&g.desk, "CarbonUnknown", "x.csv does not reach");
        assert_true(told == (g.desk.wall_ms >= INT64_C(1750003200000))); /* 16:00 */
    }
    end(&g);
}

static int admitted(struct rig *g, const char *path, struct err *e)
{
    char at[128];
    struct power_policy policy = { .carbon = { .source = RATE_FILE, .path = at } };

    (void)snprintf(at, sizeof(at), "%s", path);
    return grid_files_admit(&g->folders, &policy, e);
}

static void only_from_the_folders(void **state)
{
    struct err e = ERR_INIT;
    struct rig g;
    char out[64];

    (void)state;
    begin(&g);
    assert_int_equal(admitted(&g, below(&g, "later.csv"), &e), 0);
    assert_int_equal(admitted(&g, "/etc/passwd", &e), -EPERM);
    assert_non_null(strstr(e.text, "spec.carbon.path: /etc/passwd is outside"));
    assert_non_null(strstr(e.text, "gridFiles"));
    (void)snprintf(out, sizeof(out), "%s/../etc/passwd", folder);
    assert_int_equal(admitted(&g, out, &e), -EINVAL);
    assert_int_equal(symlink("/etc/passwd", below(&g, "link.csv")), 0);
    assert_int_equal(admitted(&g, g.path, &e), -EPERM);
    put(&g, g.path); /* as if it had been put before the folders changed */
    assert_int_equal(look(&g), 1);
    assert_true(is_told(&g.desk, "CarbonFileRefused", "gridFiles"));
    end(&g);
}

static int make(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int unmake(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_and_read_again),
        cmocka_unit_test(a_bad_file_changes_nothing),
        cmocka_unit_test(its_end_is_told),
        cmocka_unit_test(only_from_the_folders),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
