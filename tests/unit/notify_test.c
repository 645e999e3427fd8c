/* notify: what the service manager receives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/base/notify.h"

static void test_nobody_asked(void **state)
{
    (void)state;
    (void)unsetenv("NOTIFY_SOCKET");
    assert_int_equal(notify_systemd("READY=1"), 0);
    (void)setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(notify_systemd("READY=1"), -EINVAL);
    (void)setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    assert_int_equal(notify_systemd("READY=1"), -ENOENT);
}

static void test_abstract_socket(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char name[64], got[32] = "";

    (void)state;
    (void)snprintf(name, sizeof(name), "@huddle-notify-test-%d", (int)getpid());
    memcpy(address.sun_path, name, strlen(name));
    address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    (void)setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(notify_systemd("READY=1\nSTATUS=up"), 0);
    assert_int_equal(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 17);
    assert_string_equal(got, "READY=1\nSTATUS=up");
    (void)close(fd);
}

static void test_watchdog(void **state)
{
    char pid[16];

    (void)state;
    (void)unsetenv("WATCHDOG_PID");
    (void)unsetenv("WATCHDOG_USEC");
    assert_int_equal(notify_watchdog_ms(), 0);
    (void)setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    (void)setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    assert_int_equal(notify_watchdog_ms(), 0);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    (void)setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(notify_watchdog_ms(), 15000);
    (void)setenv("WATCHDOG_USEC", "x", 1);
    assert_int_equal(notify_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_asked),
        cmocka_unit_test(test_abstract_socket),
        cmocka_unit_test(test_watchdog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
