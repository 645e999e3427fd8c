/* Addresses to listen on, and which of them are this machine alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "proto/base/address.h"
#include "proto/base/array.h"

static void host_and_port(void **state)
{
    static const char *const bad[] = { "",        ":1",      "[]:1",    "host", "host:",
                                       "host:-1", "host:x1", "h:65536", "h:1 ", "far-too-long:1" };
    char host[12];
    uint16_t port;

    (void)state;
    assert_int_equal(address_split("127.0.0.1:7443", host, sizeof(host), &port), 0);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 7443);
    assert_int_equal(address_split("[::1]:0", host, sizeof(host), &port), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (address_split(bad[i], host, sizeof(host), &port) != -EINVAL)
            fail_msg("\"%s\" was taken", bad[i]);
}

static void loopback_is_said_by_number(void **state)
{
    (void)state;
    assert_true(address_is_loopback("127.9.9.9") && address_is_loopback("::1"));
    assert_false(address_is_loopback("localhost")); /* a name may mean anything */
    assert_false(address_is_loopback("0.0.0.0") || address_is_loopback("::") ||
                 address_is_loopback("128.0.0.1") || address_is_loopback(""));
    assert_true(address_is_ip("::") && !address_is_ip("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_and_port),
        cmocka_unit_test(loopback_is_said_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
