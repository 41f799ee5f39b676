/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/tail_notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/unit.h"

static int listener = -1;

/* A datagram socket as systemd has it; abstract: a name without a file. */
static void listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(name);
    memcpy(address.sun_path, name, bytes);
    if (name[0] == '@')
        address.sun_path[0] = 0;
    listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static const char *next_message(void)
{
    static char text[1024];
    ssize_t got = recv(listener, text, sizeof(text) - 1, 0);
    text[got > 0 ? got : 0] = 0;
    return text;
}

static int forget(void **state)
{
    (void)state;
    if (listener >= 0)
        close(listener);
    listener = -1;
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static void without_a_socket_nobody_is_told(void **state)
{
    (void)state;
    struct il_notify notify;
    il_notify_open(&notify);
    assert_int_equal(notify.fd, -1);
    assert_false(il_notify_send(&notify, "READY=1"));
    il_notify_alive(&notify, 1.0, true);
    il_notify_close(&notify);
    setenv("NOTIFY_SOCKET", unit_path("nobody"), 1);
    il_notify_open(&notify);
    assert_int_equal(notify.fd, -1);
    setenv("NOTIFY_SOCKET", "relative", 1);
    il_notify_open(&notify);
    assert_int_equal(notify.fd, -1);
}

static void messages_arrive(void **state)
{
    (void)state;
    struct il_notify notify;
    listen_at(unit_path("notify"));
    il_notify_open(&notify);
    assert_true(il_notify_send(&notify, "READY=1\nSTATUS=%d rows", 7));
    assert_string_equal(next_message(), "READY=1\nSTATUS=7 rows");
    il_notify_reloading(&notify);
    assert_int_equal(strncmp(next_message(), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
    assert_string_equal(next_message(), "");
    il_notify_close(&notify);
    assert_false(il_notify_send(&notify, "READY=1"));
}

static void abstract_names_work(void **state)
{
    (void)state;
    char name[64];
    struct il_notify notify;
    snprintf(name, sizeof(name), "@isolink-unit-%ld", (long)getpid());
    listen_at(name);
    il_notify_open(&notify);
    assert_true(il_notify_send(&notify, "STOPPING=1"));
    assert_string_equal(next_message(), "STOPPING=1");
    il_notify_close(&notify);
}

static void signs_of_life_come_at_half_the_time(void **state)
{
    (void)state;
    struct il_notify notify;
    listen_at(unit_path("alive"));
    setenv("WATCHDOG_USEC", "4000000", 1);
    il_notify_open(&notify);
    assert_true(notify.period == 2.0);
    il_notify_alive(&notify, 100.0, false);
    assert_string_equal(next_message(), "WATCHDOG=1");
    il_notify_alive(&notify, 101.9, false);
    assert_string_equal(next_message(), "");
    il_notify_alive(&notify, 102.0, false);
    assert_string_equal(next_message(), "WATCHDOG=1");
    il_notify_alive(&notify, 103.0, true);
    assert_string_equal(next_message(), "EXTEND_TIMEOUT_USEC=30000000");
    il_notify_alive(&notify, 103.5, true);
    assert_string_equal(next_message(), "");
    il_notify_close(&notify);
}

static void a_watchdog_of_another_process_is_none(void **state)
{
    (void)state;
    struct il_notify notify;
    char own[32];
    listen_at(unit_path("other"));
    setenv("WATCHDOG_USEC", "4000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    il_notify_open(&notify);
    assert_true(notify.period == 0.0);
    il_notify_close(&notify);
    snprintf(own, sizeof(own), "%ld", (long)getpid());
    setenv("WATCHDOG_PID", own, 1);
    setenv("WATCHDOG_USEC", "x", 1);
    il_notify_open(&notify);
    assert_true(notify.period == 0.0);
    il_notify_close(&notify);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(without_a_socket_nobody_is_told, forget),
        cmocka_unit_test_teardown(messages_arrive, forget),
        cmocka_unit_test_teardown(abstract_names_work, forget),
        cmocka_unit_test_teardown(signs_of_life_come_at_half_the_time, forget),
        cmocka_unit_test_teardown(a_watchdog_of_another_process_is_none, forget),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
