/* accountctl's HTTP client: addresses, answers, and servers that misbehave, over a real socket. */
#include "../../src/ctl/status/http.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/clock.h"

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        const char *parts; /* HOST PORT PATH; NULL: refused */
    } table[] = {
        {"http://localhost", "localhost 80 "},
        {"HTTP://localhost:9464", "localhost 9464 "},
        {"http://localhost:9464/", "localhost 9464 "},
        {"http://localhost:9464/metrics", "localhost 9464 "},
        {"http://localhost:9464/one/metrics/", "localhost 9464 /one/metrics"},
        {"http://localhost/one/", "localhost 80 /one"},
        {"http://[::1]:9464/x", "::1 9464 /x"},
        {"http://[::1]", "::1 80 "},
        {"", NULL},
        {"localhost:9464", NULL},
        {"https://localhost", NULL},
        {"http://", NULL},
        {"http://:9464", NULL},
        {"http://host:", NULL},
        {"http://host:0", NULL},
        {"http://host:65536", NULL},
        {"http://host:9464x", NULL},
        {"http://[::1", NULL},
        {"http://[::1]x", NULL},
        {"http://user@host", NULL},
        {"http://user:secret@host", NULL},
        {"http://host/a b", NULL},
        {"http://host/a\r\nX: y", NULL},
        {"http://h\xc3\xb6st", NULL},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_ctl_url url;
        bool ok = acd_ctl_url_read(table[i].text, &url);
        char parts[600] = "";

        if (ok)
            (void)snprintf(parts, sizeof(parts), "%s %s %s", url.host, url.port, url.path);
        if (ok != (table[i].parts != NULL) || (ok && strcmp(parts, table[i].parts) != 0))
            fail_msg("%s gives %s", table[i].text, ok ? parts : "a refusal");
    }
}

#define CUT     "the answer is cut off"
#define NO_HTTP "the answer is not HTTP"

static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        const char *mistake; /* NULL: none */
        int status;
        const char *body;
    } table[] = {
        {"HTTP/1.1 200 OK\r\n\r\nbody", NULL, 200, "body"},
        {"HTTP/1.0 503 Busy\r\nContent-Length: 2\r\n\r\nbody", NULL, 503, "bo"},
        {"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:4 \r\nZ: z\r\n\r\nbody", NULL, 200, "body"},
        {"HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n", NULL, 200, ""},
        {"HTTP/1.1 200 OK\r\nX-Content-Length: 9\r\n\r\nbody", NULL, 200, "body"},
        {"HTTP/1.1 200 OK\r\n\r\nContent-Length: 99", NULL, 200, "Content-Length: 99"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", CUT, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Le", CUT, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nbody", NO_HTTP, 0, NULL},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nbody", NO_HTTP, 0, NULL},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
         "the answer comes in chunks, which HTTP/1.0 does not know", 0, NULL},
        {"", NO_HTTP, 0, NULL},
        {"HTTP/1.1", NO_HTTP, 0, NULL},
        {"HTTP/1.1 2x0 OK\r\n\r\n", NO_HTTP, 0, NULL},
        {"HTTP/2.0 200 OK\r\n\r\n", NO_HTTP, 0, NULL},
        {"SSH-2.0-OpenSSH_9.2\r\n", NO_HTTP, 0, NULL},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_ctl_page page = {0};
        const char *mistake = acd_ctl_http_parse(acd_slice_str(table[i].answer), &page);

        if (table[i].mistake) {
            assert_non_null(mistake);
            assert_string_equal(mistake, table[i].mistake);
        } else if (mistake || page.status != table[i].status || !acd_slice_is(page.body, table[i].body)) {
            fail_msg("%s\ngives %s, %d, %.*s", table[i].answer, mistake ? mistake : "no mistake", page.status,
                     (int)page.body.len, page.body.data);
        }
    }
}

/* A server that takes one connection and writes `answer` up to `bytes`, over and over where it is shorter. */
struct server {
    int fd;
    int port;
    const char *answer;
    size_t bytes;
    bool hangs; /* keeps the connection open afterwards, until the client is gone */
    char request[1024];
    pthread_t thread;
};

static void *serve(void *context)
{
    struct server *server = context;
    int fd = accept(server->fd, NULL, NULL);
    ssize_t came = recv(fd, server->request, sizeof(server->request) - 1, 0);
    size_t length = strlen(server->answer);
    char byte;

    for (size_t sent = 0; came > 0 && sent < server->bytes; sent += length)
        if (send(fd, server->answer, length, MSG_NOSIGNAL) <= 0)
            break;
    while (server->hangs && recv(fd, &byte, 1, 0) > 0)
        continue;
    close(fd);
    return NULL;
}

static void start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(listen(server->fd, 1), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* The error, or NULL. */
static const char *get(struct server *server, int timeout_ms, struct acd_ctl_page *page)
{
    static char error[ACD_CTL_HTTP_ERROR_BYTES];
    struct acd_ctl_url url;
    char address[64];
    int failed;

    start(server);
    (void)snprintf(address, sizeof(address), "http://127.0.0.1:%d/one", server->port);
    assert_true(acd_ctl_url_read(address, &url));
    failed = acd_ctl_http_get(&url, "/metrics", acd_clock_ms() + timeout_ms, page, error);
    pthread_join(server->thread, NULL);
    close(server->fd);
    return failed ? error : NULL;
}

static void test_a_page(void **state)
{
    struct server server = {.answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", .bytes = 1};
    struct acd_ctl_page page;
    char wanted[256];

    assert_null(get(&server, 10000, &page));
    assert_int_equal(page.status, 200);
    assert_true(acd_slice_is(page.body, "body"));
    acd_ctl_page_free(&page);
    (void)snprintf(wanted, sizeof(wanted),
                   "GET /one/metrics HTTP/1.0\r\nHost: 127.0.0.1:%d\r\nUser-Agent: accountctl\r\n\r\n",
                   server.port);
    assert_string_equal(server.request, wanted);
}

static void test_bad_servers(void **state)
{
    static const struct {
        struct server server;
        int timeout_ms;
        const char *error;
    } table[] = {
        {{.answer = "", .hangs = true}, 50, "Connection timed out"},
        {{.answer = "HTTP/1.1 200 OK\r\n", .bytes = 1, .hangs = true}, 50, "Connection timed out"},
        {{.answer = "", .bytes = 0}, 10000, NO_HTTP},
        {{.answer = "HTTP/1.1 200 OK\r\n", .bytes = 1}, 10000, CUT},
        {{.answer = "0123456789012345678901234567890123456789", .bytes = (size_t)64 << 20},
         10000,
         "Message too long"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct server server = table[i].server;
        struct acd_ctl_page page;
        const char *error = get(&server, table[i].timeout_ms, &page);

        assert_non_null(error);
        assert_string_equal(error, table[i].error);
        acd_ctl_page_free(&page);
    }
}

static void test_nobody(void **state)
{
    char error[ACD_CTL_HTTP_ERROR_BYTES];
    struct acd_ctl_url url = {.host = "127.0.0.1", .port = "1"};
    struct acd_ctl_page page;

    assert_int_equal(acd_ctl_http_get(&url, "/", acd_clock_ms() + 1000, &page, error), -1);
    assert_string_equal(error, "Connection refused");
    acd_ctl_page_free(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),   cmocka_unit_test(test_answers), cmocka_unit_test(test_a_page),
        cmocka_unit_test(test_bad_servers), cmocka_unit_test(test_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
