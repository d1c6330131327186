/* The log: one line an event, whatever the text holds; and what systemd is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/service.h"

/* stderr goes into this pipe while a test logs. */
static int pipe_ends[2];
static int real_stderr;

static void capture(void)
{
    fflush(stderr);
    assert_int_equal(pipe(pipe_ends), 0);
    real_stderr = dup(STDERR_FILENO);
    dup2(pipe_ends[1], STDERR_FILENO);
}

static const char *captured(void)
{
    static char text[8192];
    ssize_t len;

    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(pipe_ends[1]);
    len = read(pipe_ends[0], text, sizeof(text) - 1);
    close(pipe_ends[0]);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

/* The line without its time. */
static void assert_line(const char *line, const char *expected)
{
    assert_true(strlen(line) > 25);
    assert_int_equal(line[10], 'T');
    assert_int_equal(line[23], 'Z');
    assert_string_equal(line + 25, expected);
}

static void test_text(void **state)
{
    static const struct {
        const char *text;
        const char *line;
    } table[] = {
        {"all is well", "info all is well\n"},
        {"zoë ✓ 😀", "info zoë ✓ 😀\n"},
        {"two\nlines\r", "info two\\nlines\\x0d\n"},
        {"\x1b[31mred", "info \\x1b[31mred\n"},
        {"bad \xff\xc3 utf8 \xc3", "info bad \\xff\\xc3 utf8 \\xc3\n"},
        {"next line \xc2\x85.", "info next line \\xc2\\x85.\n"},
    };

    acd_log_setup(ACD_LOG_INFO, ACD_LOG_TEXT);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        capture();
        acd_log(ACD_LOG_INFO, "%s", table[i].text);
        assert_line(captured(), table[i].line);
    }
}

static void test_json(void **state)
{
    const char *line;

    acd_log_setup(ACD_LOG_INFO, ACD_LOG_JSON);
    capture();
    acd_log(ACD_LOG_WARNING, "a \"b\" \\ \n \x01 \xff \xc2\x85 %d", 7);
    line = captured();
    assert_memory_equal(line, "{\"at\":\"", 7);
    assert_string_equal(line + 31, "\",\"level\":\"warning\",\"message\":"
                                   "\"a \\\"b\\\" \\\\ \\n \\u0001 \\\\xff \\u0085 7\"}\n");
}

static void test_levels(void **state)
{
    enum acd_log_level level;
    enum acd_log_format format;

    assert_true(acd_log_level_parse("debug", &level));
    assert_int_equal(level, ACD_LOG_DEBUG);
    assert_false(acd_log_level_parse("Debug", &level));
    assert_true(acd_log_format_parse("json", &format));
    assert_int_equal(format, ACD_LOG_JSON);
    assert_false(acd_log_format_parse("", &format));

    acd_log_setup(ACD_LOG_WARNING, ACD_LOG_TEXT);
    capture();
    acd_log(ACD_LOG_INFO, "not this");
    acd_log(ACD_LOG_ERROR, "this");
    assert_line(captured(), "error this\n");
}

/* However long the text and however it grows, the line ends and stays in one piece. */
static void test_long(void **state)
{
    static char text[5000];
    const char *line;
    size_t len;

    memset(text, 0x01, sizeof(text) - 1);
    acd_log_setup(ACD_LOG_INFO, ACD_LOG_JSON);
    capture();
    acd_log(ACD_LOG_INFO, "%s", text);
    line = captured();
    len = strlen(line);
    assert_true(len <= 4096);
    assert_string_equal(line + len - 3, "\"}\n");
    assert_ptr_equal(strchr(line, '\n'), line + len - 1);
}

/* Whatever is in a field's text, it ends neither the field nor the line. */
static void test_fields(void **state)
{
    static char long_text[5000];
    struct acd_log_field fields[] = {
        acd_log_number("partition", 3),
        acd_log_text("id", acd_slice_str("a b")),
        acd_log_text("app", acd_slice_str("x\" level=\"error\nnext \\")),
        acd_log_text("account", acd_slice(NULL, 0)),
        acd_log_text("traceparent", acd_slice_str("\xff\xc2\x85z")),
    };
    struct acd_log_field many[20];
    const char *line;

    acd_log_setup(ACD_LOG_INFO, ACD_LOG_TEXT);
    capture();
    acd_log_fields(ACD_LOG_INFO, fields, 5, "m");
    assert_line(captured(), "info m partition=3 id=\"a b\" app=\"x\\x22 level=\\x22error\\nnext \\\" "
                            "traceparent=\"\\xff\\xc2\\x85z\"\n");
    acd_log_setup(ACD_LOG_INFO, ACD_LOG_JSON);
    capture();
    acd_log_fields(ACD_LOG_INFO, fields, 5, "m");
    assert_string_equal(
        captured() + 31,
        "\",\"level\":\"info\",\"message\":\"m\",\"partition\":3,\"id\":\"a b\","
        "\"app\":\"x\\\" level=\\\"error\\nnext \\\\\",\"traceparent\":\"\\\\xff\\u0085z\"}\n");

    memset(long_text, 0x01, sizeof(long_text) - 1);
    for (size_t i = 0; i < 20; i++)
        many[i] = acd_log_text("name", acd_slice_str(long_text));
    capture();
    acd_log_fields(ACD_LOG_INFO, many, 20, "%s", long_text);
    line = captured();
    assert_true(strlen(line) <= 4096);
    assert_string_equal(line + strlen(line) - 9, "\\u0001\"}\n");
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static uint32_t count_lines(const char *text)
{
    uint32_t count = 0;

    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

/* Fifty of a kind; the others are told of, in a line that a text from outside cannot forge either. */
static void test_limit(void **state)
{
    static const char kind[] = "noise %d\n";
    int64_t suppressed = acd_metric_get(ACD_METRIC_LOG_SUPPRESSED);
    int64_t infos = acd_metric_get(ACD_METRIC_LOG_INFOS);
    const char *line;

    acd_log_setup(ACD_LOG_DEBUG, ACD_LOG_TEXT);
    capture();
    for (int i = 0; i < 60; i++)
        acd_log(ACD_LOG_INFO, kind, i);
    assert_int_equal(count_lines(captured()), 50);
    assert_int_equal(acd_metric_get(ACD_METRIC_LOG_SUPPRESSED) - suppressed, 10);
    assert_int_equal(acd_metric_get(ACD_METRIC_LOG_INFOS) - infos, 60);

    capture();
    acd_log(ACD_LOG_INFO, "another kind");
    acd_log_tell_suppressed(false);
    assert_line(captured(), "info another kind\n"); /* it is not time yet */
    capture();
    acd_log_tell_suppressed(true);
    assert_line(captured(), "info 10 messages suppressed, the last of them: noise 59\\n suppressed=10\n");
    capture();
    acd_log_tell_suppressed(true);
    acd_log(ACD_LOG_INFO, "end");
    assert_line(captured(), "info end\n");

    capture();
    for (int i = 0; i < 60; i++)
        acd_log(ACD_LOG_DEBUG, "debug lines are not limited");
    line = captured();
    assert_int_equal(count_lines(line), 60);
}

static void test_journal(void **state)
{
    struct stat status;
    char name[64];

    acd_log_setup(ACD_LOG_INFO, ACD_LOG_TEXT);
    capture();
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
    acd_log(ACD_LOG_ERROR, "broken");
    assert_string_equal(captured(), "<3>broken\n");

    setenv("JOURNAL_STREAM", "1:1", 1); /* systemd's, but stderr was redirected since */
    capture();
    acd_log(ACD_LOG_ERROR, "broken");
    assert_line(captured(), "error broken\n");
    unsetenv("JOURNAL_STREAM");
}

static void test_notify(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(address);
    char text[64] = "";
    char name[128] = "@";
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    /* The kernel chooses a free abstract name. */
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    memcpy(name + 1, address.sun_path + 1, len - offsetof(struct sockaddr_un, sun_path) - 1);
    setenv("NOTIFY_SOCKET", name, 1);
    acd_notify("READY=1\nSTATUS=%d partitions", 4);
    assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
    assert_string_equal(text, "READY=1\nSTATUS=4 partitions");

    unsetenv("NOTIFY_SOCKET");
    acd_notify("READY=1");
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_json),    cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long),   cmocka_unit_test(test_journal), cmocka_unit_test(test_notify),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_limit),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
