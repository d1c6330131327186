/* The HTTP thread, asked over a real socket: pages, codes, and the text of the metrics. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/service.h"

static bool is_ready;
static bool is_live = true;

static bool live(void *context, char *reasons, int size)
{
    assert_string_equal(context, "context");
    if (!is_live)
        snprintf(reasons, (size_t)size, "[\"worker 1 is stuck\"]");
    return is_live;
}

static bool ready(void *context, char *reasons, int size)
{
    assert_string_equal(context, "context");
    if (!is_ready)
        snprintf(reasons, (size_t)size, "[\"no connection to Redis\"]");
    return is_ready;
}

static const struct acd_probes probes = {live, ready, "context"};

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Asks, and returns head and body. */
static const char *ask(int port, const char *request)
{
    static char text[65536];
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t len = 0;
    ssize_t more = 1;

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    dprintf(fd, "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request);
    while (more > 0 && len < sizeof(text) - 1) {
        more = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        len += more > 0 ? (size_t)more : 0;
    }
    close(fd);
    text[len] = '\0';
    return text;
}

static const char *body(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");

    assert_non_null(end);
    return end + 4;
}

static void assert_answer(int port, const char *request, const char *status, const char *wanted)
{
    const char *text = ask(port, request);

    assert_memory_equal(text, "HTTP/1.1 ", 9);
    assert_memory_equal(text + 9, status, 3);
    assert_string_equal(body(text), wanted);
}

static struct acd_http *start(int *port)
{
    struct acd_http *http;
    char listen[32];

    *port = free_port();
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", *port);
    http = acd_http_start(listen, &probes);
    assert_non_null(http);
    return http;
}

static void test_pages(void **state)
{
    int port;
    struct acd_http *http = start(&port);
    const char *version = "{\"version\":\"" ACD_VERSION "\",\"librdkafka\":\"";

    assert_answer(port, "GET /livez", "200", "{\"live\":true}\n");
    is_live = false;
    assert_answer(port, "GET /livez", "503", "{\"live\":false,\"reasons\":[\"worker 1 is stuck\"]}\n");
    is_live = true;
    assert_memory_equal(body(ask(port, "GET /version")), version, strlen(version));
    is_ready = false;
    assert_answer(port, "GET /readyz", "503", "{\"ready\":false,\"reasons\":[\"no connection to Redis\"]}\n");
    is_ready = true;
    assert_answer(port, "GET /readyz", "200", "{\"ready\":true}\n");
    assert_answer(port, "HEAD /readyz", "200", "");
    assert_answer(port, "GET /", "404", "/metrics /livez /readyz /version\n");
    assert_answer(port, "GET /metricsx", "404", "/metrics /livez /readyz /version\n");
    assert_answer(port, "DELETE /livez", "405", "only GET and HEAD\n");
    acd_http_stop(http);
    acd_http_stop(NULL);
}

/* True when the page holds this line. */
static bool has_line(const char *page, const char *line)
{
    const char *at = strstr(page, line);

    return at && at[-1] == '\n' && at[strlen(line)] == '\n';
}

static void test_metrics(void **state)
{
    int port;
    struct acd_http *http = start(&port);
    struct acd_tally tally = {0};
    const char *page;

    acd_metric_add(ACD_METRIC_BATCHES, 3);
    acd_metric_add(ACD_METRIC_ASSIGNED_PARTITIONS, 4);
    acd_metric_add(ACD_METRIC_ASSIGNED_PARTITIONS, -1);
    acd_tally_command(&tally, ACD_CREATE, ACD_OK, 7);
    acd_tally_command(&tally, ACD_OP_NONE, ACD_MALFORMED, -5);
    acd_tally_add(&tally);
    acd_metric_observe(ACD_METRIC_STAGE_LOAD, 3000, 2);
    acd_metric_observe(ACD_METRIC_STAGE_LOAD, 99000000, 1);
    acd_metric_partition_lag(2, 0);
    acd_metric_partition_lag(11, 5);
    acd_metric_partition_lag(12, 5);
    acd_metric_partition_lag(12, -1);
    acd_metric_partition_lag(100000, 5);
    assert_int_equal(acd_metric_get(ACD_METRIC_BATCHES), 3);
    page = ask(port, "GET /metrics");
    assert_non_null(strstr(page, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_true(has_line(page, "# TYPE accountd_batches_total counter"));
    assert_true(has_line(page, "accountd_batches_total 3"));
    assert_true(has_line(page, "# TYPE accountd_assigned_partitions gauge"));
    assert_true(has_line(page, "accountd_assigned_partitions 3"));
    assert_true(has_line(page, "accountd_commands_total{op=\"create\",code=\"ok\"} 1"));
    assert_true(has_line(page, "accountd_commands_total{op=\"none\",code=\"malformed\"} 1"));
    assert_true(has_line(page, "accountd_commands_total{op=\"export\",code=\"internal\"} 0"));
    assert_non_null(strstr(page, "\naccountd_build_info{version=\"" ACD_VERSION "\",librdkafka=\""));
    assert_non_null(strstr(page, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(page, "\nprocess_open_fds "));
    assert_true(has_line(page, "accountd_command_age_seconds_bucket{le=\"0.005\"} 1"));
    assert_true(has_line(page, "accountd_command_age_seconds_bucket{le=\"0.01\"} 2"));
    assert_true(has_line(page, "accountd_command_age_seconds_sum 0.007"));
    assert_true(has_line(page, "accountd_command_age_seconds_count 2"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_bucket{stage=\"load\",le=\"0.0025\"} 0"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_bucket{stage=\"load\",le=\"0.005\"} 2"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_bucket{stage=\"load\",le=\"30\"} 2"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_bucket{stage=\"load\",le=\"+Inf\"} 3"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_sum{stage=\"load\"} 99.006"));
    assert_true(has_line(page, "accountd_batch_stage_seconds_count{stage=\"publish\"} 0"));
    assert_true(has_line(page, "accountd_commit_conflicts_total{reason=\"fenced\"} 0"));
    assert_true(has_line(page, "accountd_partition_lag{partition=\"2\"} 0"));
    assert_true(has_line(page, "accountd_partition_lag{partition=\"11\"} 5"));
    assert_null(strstr(page, "partition=\"12\""));
    acd_http_stop(http);
}

/* A port is taken once, also by a daemon that asks for address reuse as we do; and it is free at once after.
 */
static void test_port_taken(void **state)
{
    int port;
    struct acd_http *http = start(&port);
    char listen[32];

    snprintf(listen, sizeof(listen), "127.0.0.1:%d", port);
    assert_null(acd_http_start(listen, &probes));
    assert_answer(port, "GET /livez", "200", "{\"live\":true}\n");
    acd_http_stop(http);
    http = acd_http_start(listen, &probes);
    assert_non_null(http);
    acd_http_stop(http);
    assert_null(acd_http_start("nonsense", &probes));
}

static void test_ipv6(void **state)
{
    struct acd_http *http;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_ipv6 = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;

    if (fd >= 0)
        close(fd);
    if (!has_ipv6)
        skip();
    http = acd_http_start("[::1]:0", &probes);
    assert_non_null(http);
    acd_http_stop(http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_port_taken),
        cmocka_unit_test(test_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
