/* Where a node's BMC is, whether it may be reached, and whether it is of that node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/power/bmc.h"
#include "controller/power/hosts.h"
#include "controller/state/machine_uuid.h"
#include "proto/base/array.h"

static struct string_list list_of(char **items, size_t n)
{
    return (struct string_list){ items, n };
}

static void hosts_that_are_allowed(void **state)
{
    static const struct {
        const char *pattern, *host;
        bool allowed;
    } CASES[] = {
        { "bmc-1", "bmc-1", true },
        { "bmc-1", "BMC-1", true },
        { "bmc-1", "bmc-10", false },
        { "*.mgmt.example", "n1.mgmt.example", true },
        { "*.mgmt.example", "mgmt.example", false },
        { "*.mgmt.example", ".mgmt.example", false },
        { "*.mgmt.example", "evilmgmt.example", false },
        { "*.mgmt.example", "n1.mgmt.example.evil", false },
        { "10.9.0.0/16", "10.9.255.1", true },
        { "10.9.0.0/16", "10.10.0.1", false },
        { "10.9.128.0/17", "10.9.127.1", false },
        { "10.9.128.0/17", "10.9.128.1", true },
        { "0.0.0.0/0", "192.0.2.1", true },
        { "0.0.0.0/0", "a.name", false },
        { "0.0.0.0/0", "::1", false },
        { "fd00::/8", "fd12::1", true },
        { "fd00::/8", "fe80::1", false },
        { "::1", "::1", true },
        { "::1", "0:0:0:0:0:0:0:1", true },
        { "10.0.0.1", "10.0.0.1", true },
        { "10.0.0.1", "10.0.0.2", false },
    };
    static const char *const WRONG[] = { "",          "*",         "a b",   "10.0.0.0/33",
                                         "https://x", "10.0.0.0/", "*.*.a", "10.0.0.0/-1",
                                         "a/8",       "::1/129",   "a:443" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *item = (char *)CASES[i].pattern;
        const struct string_list list = list_of(&item, 1);

        assert_true(power_host_pattern(item));
        if (power_hosts_allow(&list, CASES[i].host) != CASES[i].allowed)
            fail_msg("%s, %s", CASES[i].pattern, CASES[i].host);
    }
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++)
        if (power_host_pattern(WRONG[i]))
            fail_msg("%s is no host", WRONG[i]);
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *address, *host;
    } CASES[] = {
        { "https://bmc-{node}.x/", "https://bmc-n1.x", "bmc-n1.x" },
        { "https://{node}:8443", "https://n1:8443", "n1" },
        { "https://[fd00::1]:443", "https://[fd00::1]:443", "fd00::1" },
        { "https://[fd00::1]", "https://[fd00::1]", "fd00::1" },
        { "https://10.0.0.1", "https://10.0.0.1", "10.0.0.1" },
        { "http://n1", NULL, NULL },
        { "https://", NULL, NULL },
        { "https://:443", NULL, NULL },
        { "https://a/b", NULL, NULL },
        { "https://u@a", NULL, NULL },
        { "https://a:", NULL, NULL },
        { "https://a:https", NULL, NULL },
        { "https://a:1234567", NULL, NULL },
        { "https://[::1", NULL, NULL },
        { "https://[::1]x", NULL, NULL },
        { "https://a b", NULL, NULL },
        { "https://a?b", NULL, NULL },
        { "", NULL, NULL },
    };
    char *hosts[] = { (char *)"n1", (char *)"*.x", (char *)"10.0.0.0/8", (char *)"fd00::/8" };
    const struct string_list list = list_of(hosts, ARRAY_LEN(hosts));

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct string_pair pair = { (char *)"address", (char *)CASES[i].text };
        const struct power_pool pool = { .driver.settings = { &pair, 1 } };
        char *address = NULL, *host = NULL;
        struct err e = ERR_INIT;
        int r = bmc_address(&pool, "n1", "https://", &list, &address, &host, &e);

        if ((r == 0) != (CASES[i].address != NULL))
            fail_msg("%s: %d %s", CASES[i].text, r, e.text);
        if (r == 0) {
            assert_string_equal(address, CASES[i].address);
            assert_string_equal(host, CASES[i].host);
        }
        free(address);
        free(host);
    }
}

static void one_node_goes_before_all(void **state)
{
    struct string_pair pairs[] = { { (char *)"user", (char *)"all" },
                                   { (char *)"user/n1", (char *)"one" },
                                   { (char *)"username", (char *)"other" } };
    const struct string_map map = { pairs, ARRAY_LEN(pairs) };

    (void)state;
    assert_string_equal(bmc_value(&map, "user", "n1"), "one");
    assert_string_equal(bmc_value(&map, "user", "n10"), "all");
    assert_null(bmc_value(&map, "use", "n1"));
}

static void pools_that_may_be_put(void **state)
{
    struct string_pair pairs[] = { { (char *)"address", (char *)"https://{node}.x" },
                                   { (char *)"address/n1", (char *)"https://10.0.0.1" } };
    const struct power_pool pool = { .driver.settings = { pairs, 2 } };
    char *net = (char *)"10.0.0.0/8";
    const struct string_list some = list_of(&net, 1), none = list_of(NULL, 0);
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(bmc_admit(&pool, "https://", &some, &e), 0);
    assert_int_equal(bmc_admit(&pool, "https://", &none, &e), -EPERM);
    assert_string_equal(e.text,
                        "spec.driver.settings.address/n1: 10.0.0.1 is none of the hosts that the "
                        "controller's configuration allows (powerDrivers.hosts: none)");
    pairs[0].value = (char *)"https://{node}/path";
    assert_int_equal(bmc_admit(&pool, "https://", &some, &e), -EINVAL);
}

static void uuids_in_any_order(void **state)
{
    static const char A[] = "a1234567-89ab-cdef-0123-456789abcdef";

    (void)state;
    assert_false(machine_uuid_differs(A, A));
    assert_false(machine_uuid_differs(A, "A123456789ABCDEF0123456789ABCDEF"));
    assert_false(machine_uuid_differs(A, "674523a1-ab89-efcd-0123-456789abcdef")); /* SMBIOS */
    assert_false(machine_uuid_differs(A, "efcdab89-6745-2301-efcd-ab89674523a1")); /* all round */
    assert_true(machine_uuid_differs(A, "a1234567-89ab-cdef-0123-456789abcdee"));
    assert_true(machine_uuid_differs("00000000-0000-0000-0000-000000000001", A));
    assert_false(machine_uuid_differs(A, ""));
    assert_false(machine_uuid_differs(A, NULL));
    assert_false(machine_uuid_differs("Not Settable", A));
    assert_false(machine_uuid_differs(A, "a1234567-89ab-cdef-0123-456789abcdef0"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_that_are_allowed),   cmocka_unit_test(addresses),
        cmocka_unit_test(one_node_goes_before_all), cmocka_unit_test(pools_that_may_be_put),
        cmocka_unit_test(uuids_in_any_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
