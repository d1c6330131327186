/* What systemd is told while threads work, hang and end, and the line that it shows of the daemon. A socket
 * stands in for systemd's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/status.h"
#include "accountd/clock.h"
#include "accountd/metrics.h"
#include "accountd/service.h"
#include "accountd/watch.h"

/* The watch looks four times a second: after this time it has looked. */
#define LOOKED_MS   400
#define PATIENCE_MS 10000

static int systemd;

static int listen_as_systemd(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    char name[sizeof(address.sun_path) + 1] = "@";

    systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(systemd >= 0);
    assert_int_equal(bind(systemd, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
    assert_int_equal(getsockname(systemd, (struct sockaddr *)&address, &len), 0);
    memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    setenv("NOTIFY_SOCKET", name, 1);
    return 0;
}

static int forget_systemd(void **state)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    close(systemd);
    return 0;
}

/* The next datagram, or "" when none comes in time. */
static const char *told(int64_t within_ms)
{
    static char text[1024];
    struct timeval timeout = {within_ms / 1000, within_ms % 1000 * 1000 + 1};
    ssize_t len;

    setsockopt(systemd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    len = recv(systemd, text, sizeof(text) - 1, 0);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void await(const char *message)
{
    int64_t deadline = acd_clock_ms() + PATIENCE_MS;

    while (strcmp(told(PATIENCE_MS), message) != 0)
        if (acd_clock_ms() > deadline)
            fail_msg("systemd was not told: %s", message);
}

/* What was sent before is read away; then nothing may come. */
static void assert_silence(void)
{
    while (*told(1))
        ;
    assert_string_equal(told(LOOKED_MS), "");
}

static void test_a_thread_that_hangs(void **state)
{
    struct acd_pulse pulses[3] = {0};
    struct acd_watch *watch;

    setenv("WATCHDOG_USEC", "1000000", 1);
    acd_pulse_beat(&pulses[0], 60000);
    acd_pulse_beat(&pulses[1], 60000);
    watch = acd_watch_start(pulses, 3);
    assert_non_null(watch);
    await("WATCHDOG=1");

    assert_int_equal(acd_pulse_late_ms(&pulses[1]), 0);
    assert_int_equal(acd_pulse_late_ms(&pulses[2]), 0); /* at rest */
    acd_pulse_beat(&pulses[1], -1);
    acd_clock_sleep_ms(LOOKED_MS);
    assert_silence();
    assert_true(acd_pulse_late_ms(&pulses[1]) >= LOOKED_MS);
    assert_int_equal(acd_metric_get(ACD_METRIC_STUCK_THREADS), 1);
    acd_pulse_beat(&pulses[1], 60000);
    await("WATCHDOG=1");

    acd_pulse_beat(&pulses[0], -1);
    acd_clock_sleep_ms(LOOKED_MS);
    assert_silence();
    acd_pulse_rest(&pulses[0]);
    await("WATCHDOG=1");
    assert_int_equal(acd_metric_get(ACD_METRIC_STUCK_THREADS), 0);
    acd_watch_end(watch);
}

static void test_a_stop(void **state)
{
    struct acd_pulse pulse = {0};
    struct acd_watch *watch = acd_watch_start(&pulse, 1);

    assert_non_null(watch);
    assert_silence(); /* no watchdog is asked for, and no stop is under way */
    acd_watch_stopping(watch);
    await("EXTEND_TIMEOUT_USEC=15000000");
    acd_pulse_beat(&pulse, -1);
    acd_clock_sleep_ms(LOOKED_MS);
    assert_silence();
    acd_watch_end(watch);
}

static void test_the_watchdog_of_another_process(void **state)
{
    struct acd_pulse pulse = {0};
    struct acd_watch *watch;
    char pid[32];

    setenv("WATCHDOG_USEC", "1000000", 1);
    snprintf(pid, sizeof(pid), "%d", (int)getpid() + 1);
    setenv("WATCHDOG_PID", pid, 1);
    watch = acd_watch_start(&pulse, 1);
    assert_non_null(watch);
    assert_silence();
    acd_watch_end(watch);

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    watch = acd_watch_start(&pulse, 1);
    assert_non_null(watch);
    await("WATCHDOG=1");
    acd_watch_end(watch);
}

static void test_the_status(void **state)
{
    struct status status = {0};
    struct acd_tally tally = {0};
    int thousands;
    int rest;

    acd_metric_set(ACD_METRIC_ASSIGNED_PARTITIONS, 4);
    acd_metric_set(ACD_METRIC_LAG, 1234567);
    status_tell(&status, NULL);
    assert_string_equal(told(1), "STATUS=4 partitions, lag 1,234,567, 0 commands/s");

    /* The rate is that since the last line, and a line comes once a second. */
    for (int i = 0; i < 5000; i++)
        acd_tally_command(&tally, ACD_GET, ACD_OK, 0);
    acd_tally_add(&tally);
    status_tell(&status, NULL);
    assert_string_equal(told(1), "");
    status.told_at_ms -= 1000;
    acd_metric_set(ACD_METRIC_ASSIGNED_PARTITIONS, 1);
    acd_metric_set(ACD_METRIC_LAG, 999);
    status_tell(&status, "");
    assert_int_equal(sscanf(told(1), "STATUS=1 partition, lag 999, %d,%d commands/s", &thousands, &rest), 2);
    assert_true(thousands >= 1 && 1000 * thousands + rest <= 5000);

    /* What it waits for is told at once, and once; a server's text cannot say more than that. */
    status_tell(&status, "Redis: no\nREADY=1");
    assert_string_equal(told(1), "STATUS=waiting: Redis: no READY=1");
    status_tell(&status, "Redis: no\nREADY=1");
    assert_string_equal(told(1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_thread_that_hangs, listen_as_systemd, forget_systemd),
        cmocka_unit_test_setup_teardown(test_a_stop, listen_as_systemd, forget_systemd),
        cmocka_unit_test_setup_teardown(test_the_watchdog_of_another_process, listen_as_systemd,
                                        forget_systemd),
        cmocka_unit_test_setup_teardown(test_the_status, listen_as_systemd, forget_systemd),
    };

    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
