/* gpu: through dlopen, against a stand-in for NVML (tests/lab/nvml_stand_in.c) that reads its GPUs
 * from a text file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/energy_counter.h"
#include "agent/sensor/gpu.h"

#define A100 "gpu uuid=GPU-1 name=NVIDIA_A100 most_mw=400000 memory=85899345920 used=1024 busy=57"
#define LOOK_AGAIN 60 /* reads */

struct rig {
    char list[64], library[512], other[512];
    struct gpus *gpus;
    struct sample sample;
    struct energy_counter counter;
    int64_t now_ms;
};

/* The libraries stand beside the folder of this program. */
static void find_library(char *path, size_t size, const char *name)
{
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    assert_true(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    (void)snprintf(path, size, "%s/../lab/%s", self, name);
}

static void write_list(const struct rig *r, const char *text)
{
    FILE *file = fopen(r->list, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    (void)snprintf(r->list, sizeof(r->list), "/tmp/gpu_test.XXXXXX");
    int fd = mkstemp(r->list);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(setenv("HUDDLE_NVML_STAND_IN", r->list, 1), 0);
    find_library(r->library, sizeof(r->library), "libnvidia-ml-stand-in.so");
    find_library(r->other, sizeof(r->other), "libempty.so");
    r->now_ms = 1000;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;

    gpus_free(r->gpus);
    sample_done(&r->sample);
    energy_counter_done(&r->counter);
    (void)unlink(r->list);
    free(r);
    return 0;
}

static void look(struct rig *r, int64_t later_ms)
{
    sample_clear(&r->sample);
    r->now_ms += later_ms;
    r->sample.boot_ms = r->now_ms;
    gpus_read(r->gpus, &r->sample);
    energy_counter_add(&r->counter, &r->sample);
}

static void begin(struct rig *r, const char *list)
{
    write_list(r, list);
    r->gpus = gpus_new(r->library);
    look(r, 0);
}

static void no_library_is_no_problem(void **state)
{
    struct rig *r = *state;
    static const char *const absent[] = { "libnvidia-ml-of-nobody.so.1", "/nowhere/at/all.so", "" };

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        r->gpus = gpus_new(absent[i]);
        look(r, 1);
        assert_true(r->sample.n_gpus == 0 && r->sample.n_zones == 0 && r->sample.n_problems == 0);
        gpus_free(r->gpus);
        r->gpus = NULL;
    }
}

static void a_broken_library_is_told(void **state)
{
    struct rig *r = *state;

    r->gpus = gpus_new(r->other);
    look(r, 1);
    assert_int_equal(r->sample.n_problems, 1);
    assert_non_null(strstr(r->sample.problems[0].what, "it has no nvmlInit_v2"));
    gpus_free(r->gpus);
    r->gpus = gpus_new(r->list); /* a text file */
    look(r, 1);
    assert_int_equal(r->sample.n_problems, 1);
}

static void a_counter_is_measured(void **state)
{
    struct rig *r = *state;
    const struct sample_zone *z;

    begin(r, A100 " energy_mj=5000\n");
    z = &r->sample.zones[0];
    assert_int_equal(r->sample.n_gpus, 1);
    assert_string_equal(r->sample.gpus[0].model, "NVIDIA A100");
    assert_string_equal(r->sample.gpus[0].uuid, "GPU-1");
    assert_true(r->sample.gpus[0].valid && r->sample.gpus[0].memory_known);
    assert_true(r->sample.gpus[0].memory_bytes == 85899345920u);
    assert_int_equal(r->sample.gpus[0].memory_used_bytes, 1024);
    assert_true(r->sample.gpus[0].utilization_known);
    assert_int_equal(r->sample.gpus[0].utilization_permille, 570);
    assert_string_equal(z->name, "gpu-0");
    assert_string_equal(z->path, "nvml:GPU-1");
    assert_int_equal(z->kind, ZONE_GPU);
    assert_true(z->valid && z->counted && z->raw_uj == 5000000);
    assert_int_equal(z->provenance, PROVENANCE_MEASURED);
    assert_int_equal(z->max_power_uw, 800000000);
    write_list(r, A100 " energy_mj=5300\n");
    look(r, 1000);
    assert_int_equal(r->counter.measured_uj, 300000);
    assert_int_equal(r->counter.estimated_uj, 0);
    assert_int_equal(r->sample.n_problems, 0);
}

static void power_is_integrated_and_an_estimate(void **state)
{
    struct rig *r = *state;

    begin(r, A100 " power_mw=100000\n");
    assert_int_equal(r->sample.zones[0].provenance, PROVENANCE_ESTIMATED);
    write_list(r, A100 " power_mw=300000\n");
    look(r, 2000);
    assert_int_equal(r->counter.estimated_uj, 400000000); /* (100 W + 300 W) / 2 x 2 s */
    look(r, 500);
    assert_int_equal(r->counter.estimated_uj, 550000000);
    assert_int_equal(r->counter.measured_uj, 0);
    assert_int_equal(r->counter.gaps, 0);
    look(r, 3600000); /* suspended, or stopped: not an hour at 300 W */
    assert_int_equal(r->counter.estimated_uj, 550000000);
    assert_int_equal(r->counter.gaps, 1);
}

static void one_that_tells_nothing_is_not_counted(void **state)
{
    struct rig *r = *state;

    begin(r, "gpu uuid=GPU-1 name=GT_710 energy_mj=1\ngpu uuid=GPU-2 name=NVIDIA_GB10\n");
    assert_int_equal(r->sample.n_zones, 2);
    assert_true(r->sample.zones[0].counted && r->sample.zones[0].valid);
    assert_false(r->sample.zones[1].counted || r->sample.zones[1].valid);
    assert_true(r->sample.gpus[1].valid);
    assert_false(r->sample.gpus[1].memory_known || r->sample.gpus[1].utilization_known);
    assert_int_equal(r->sample.n_problems, 1);
    assert_non_null(strstr(r->sample.problems[0].fix, "neither energy nor power"));
}

static void a_lost_gpu_is_never_zero_joules(void **state)
{
    struct rig *r = *state;

    begin(r, A100 " energy_mj=5000\ngpu uuid=GPU-2 energy_mj=1000 memory=1 used=1 held=1\n");
    write_list(r, "gpu uuid=GPU-1 lost=1\ngpu uuid=GPU-2 energy_mj=1500 memory=1 used=1 held=1\n");
    look(r, 1000);
    assert_int_equal(r->sample.n_gpus, 2); /* it stays, and says why */
    assert_false(r->sample.gpus[0].valid || r->sample.zones[0].valid);
    assert_true(r->sample.zones[0].counted && r->sample.zones[1].valid);
    assert_string_equal(r->sample.zones[0].error, "NVML: GPU is lost");
    assert_non_null(strstr(r->sample.problems[0].what, "GPU-1"));
    assert_int_equal(energy_counter_provenance(&r->counter), PROVENANCE_UNAVAILABLE);
    assert_int_equal(r->counter.measured_uj, 500000);

    write_list(r, A100 " energy_mj=7000\ngpu uuid=GPU-2 energy_mj=1500 memory=1 used=1 held=1\n");
    for (int i = 0; i < LOOK_AGAIN; i++)
        look(r, 1000);
    assert_true(r->sample.gpus[0].valid); /* found again, and its counter went on */
    assert_int_equal(r->counter.measured_uj, 500000 + 2000000);
    assert_int_equal(r->counter.gaps, 0);
    assert_string_equal(r->sample.zones[0].path, "nvml:GPU-1");
}

static void all_lost_start_nvml_afresh(void **state)
{
    struct rig *r = *state;

    begin(r, A100 " energy_mj=5000\n");
    write_list(r, "gpu uuid=GPU-1 lost=1\n");
    look(r, 1000);
    write_list(r, "gpu uuid=GPU-9 energy_mj=1\n" A100 " energy_mj=10\n"); /* the driver anew */
    for (int i = 0; i < LOOK_AGAIN; i++)
        look(r, 1000);
    assert_int_equal(r->sample.n_gpus, 2);
    assert_string_equal(r->sample.gpus[1].uuid, "GPU-9");
    assert_true(r->sample.gpus[0].valid && r->sample.gpus[1].valid);
    assert_int_equal(r->counter.measured_uj, 0); /* the counter fell: a gap, no energy */
    assert_int_equal(r->counter.gaps, 1);
}

static void instances_are_not_counted_again(void **state)
{
    struct rig *r = *state;

    begin(r, "gpu uuid=GPU-1 name=A100 energy_mj=7 memory=9 used=1\n" /* divided: no `busy` */
             "gpu uuid=MIG-1-a energy_mj=7\n"
             "gpu uuid=GPU-1 energy_mj=7\n");
    assert_int_equal(r->sample.n_zones, 1);
    assert_int_equal(r->sample.n_gpus, 1);
    assert_true(r->sample.gpus[0].valid && !r->sample.gpus[0].utilization_known);
}

static void a_driver_that_comes_later_is_found(void **state)
{
    struct rig *r = *state;

    begin(r, "init 9\n");
    assert_int_equal(r->sample.n_gpus, 0);
    assert_non_null(strstr(r->sample.problems[0].what, "Driver Not Loaded"));
    write_list(r, A100 " energy_mj=5000\n");
    for (int i = 0; i < LOOK_AGAIN; i++)
        look(r, 1000);
    assert_int_equal(r->sample.n_gpus, 1);
    assert_int_equal(r->sample.n_problems, 0);
}

static void hostile_names_are_harmless(void **state)
{
    struct rig *r = *state;

    begin(r, "gpu uuid=GPU-\x1b[2J name=\xff\x01 energy_mj=18446744073709551615\n");
    assert_string_equal(r->sample.gpus[0].uuid, "GPU-?[2J");
    assert_string_equal(r->sample.gpus[0].model, "??");
    assert_false(r->sample.zones[0].valid); /* more mJ than 64 bits hold of uJ */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_library_is_no_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_library_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_counter_is_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(power_is_integrated_and_an_estimate, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_tells_nothing_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_gpu_is_never_zero_joules, setup, teardown),
        cmocka_unit_test_setup_teardown(all_lost_start_nvml_afresh, setup, teardown),
        cmocka_unit_test_setup_teardown(instances_are_not_counted_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_driver_that_comes_later_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_names_are_harmless, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
