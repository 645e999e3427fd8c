/* Resource quantities, against what `kubectl` and the API server make of the same texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "controller/kubernetes/amount.h"
#include "proto/base/array.h"

static void a_quantity_is_read_in_thousandths(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } IS[] = {
        { "0", 0 },
        { "1", 1000 },
        { "500m", 500 },
        { "0.5", 500 },
        { ".5", 500 },
        { "2.", 2000 },
        { "+3", 3000 },
        { "-1", -1000 },
        { "1k", 1000000 },
        { "1Ki", 1024000 },
        { "16Gi", INT64_C(17179869184000) },
        { "1.5Gi", INT64_C(1610612736000) },
        { "129e6", INT64_C(129000000000) },
        { "1.5E3", 1500000 },
        { "128974848000m", INT64_C(128974848000) }, /* from the documentation of memory */
        { "16.1", 16100 },
        { "1100u", 2 }, /* rounded up */
        { "100n", 1 },
        { "1n", 1 },
        { "0.0001", 1 },
        { "1P", INT64_C(1000000000000000000) },
        { "1E", INT64_MAX },
        { "1Ei", INT64_MAX },
        { "1e300", INT64_MAX },
    };
    int64_t milli;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(IS); i++) {
        assert_int_equal(amount_parse(IS[i].text, &milli), 0);
        if (milli != IS[i].milli)
            fail_msg("%s: %lld", IS[i].text, (long long)milli);
    }
}

static void what_is_no_quantity_is_refused(void **state)
{
    static const char *const NOT[] = { "",    "m",     "1KI",   "1gi",  "1 Gi", " 1",    "1 ",
                                       "0x1", "0x1p4", "inf",   "nan",  "1e",   "1-2",   "1.2.3",
                                       ".",   "-",     "1e3Ki", "1e3m", "1mm",  "1e999", "Gi" };
    int64_t milli = 77;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NOT); i++)
        if (amount_parse(NOT[i], &milli) != -EINVAL || milli != 77)
            fail_msg("\"%s\": %lld", NOT[i], (long long)milli);
}

static struct amounts read_text(const char *text)
{
    struct amounts a = { 0 };
    json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(object);
    amounts_read(&a, object);
    json_decref(object);
    return a;
}

static void lists_are_added_and_raised_by_name(void **state)
{
    struct amounts a = read_text("{\"cpu\": \"250m\", \"memory\": \"1Gi\", \"nvidia.com/gpu\": 1,"
                                 " \"broken\": \"much\", \"worse\": [1]}");
    struct amounts b = read_text("{\"cpu\": \"1\", \"memory\": \"512Mi\", \"pods\": \"110\"}");

    (void)state;
    assert_int_equal(a.n_item, 3);
    assert_int_equal(amounts_get(&a, "nvidia.com/gpu"), 1000);
    assert_int_equal(amounts_get(&a, "broken"), 0);
    amounts_raise(&a, &b);
    assert_int_equal(amounts_get(&a, "cpu"), 1000);
    assert_int_equal(amounts_get(&a, "memory"), INT64_C(1073741824000));
    assert_int_equal(amounts_get(&a, "pods"), 110000);
    amounts_add(&a, &b);
    assert_int_equal(amounts_get(&a, "cpu"), 2000);
    assert_int_equal(amounts_get(&a, "memory"), INT64_C(1610612736000));
    amounts_set(&a, "cpu", INT64_MAX);
    amounts_add(&a, &b);
    assert_int_equal(amounts_get(&a, "cpu"), INT64_MAX);
    amounts_done(&a);
    amounts_done(&b);
}

static void what_is_too_much_or_no_list_does_no_harm(void **state)
{
    struct amounts a =
        read_text("{\"cpu\": 9223372036854775807, \"memory\": -9223372036854775808}");
    struct amounts none = read_text("[\"cpu\"]");

    (void)state;
    assert_int_equal(amounts_get(&a, "cpu"), INT64_MAX);
    assert_int_equal(amounts_get(&a, "memory"), INT64_MIN);
    assert_int_equal(none.n_item, 0);
    amounts_read(&none, NULL);
    assert_int_equal(none.n_item, 0);
    amounts_done(&a);
    amounts_done(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quantity_is_read_in_thousandths),
        cmocka_unit_test(what_is_no_quantity_is_refused),
        cmocka_unit_test(lists_are_added_and_raised_by_name),
        cmocka_unit_test(what_is_too_much_or_no_list_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
