/* The settings: defaults, every kind of mistake with the line it is on, and printing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/ops/settings_table.h"

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Reads a text as the file a.conf; the messages are the caller's to free. */
static char *read_text(const char *text, struct acd_settings *settings, int *result)
{
    char *errors = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&errors, &len);

    write_file("a.conf", text);
    assert_int_equal(acd_settings_default(settings), 0);
    *result = acd_settings_read(settings, "a.conf", NULL, stream);
    fclose(stream);
    unlink("a.conf");
    return errors;
}

static char *print_text(const struct acd_settings *settings)
{
    char *text = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&text, &len);

    acd_settings_print(settings, stream);
    fclose(stream);
    return text;
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text;
        const char *errors;
    } table[] = {
        {"", ""},
        {"kafka: { broker = \"a:1\"; };",
         "a.conf:1: unknown setting 'kafka.broker', did you mean 'brokers'?\n"},
        {"\nkafak: { };", "a.conf:2: unknown setting 'kafak', did you mean 'kafka'?\n"},
        {"brokers = \"a:1\";", "a.conf:1: unknown setting 'brokers', did you mean 'kafka.brokers'?\n"},
        {"http: { threads = 2; };",
         "a.conf:1: unknown setting 'http.threads', did you mean 'worker.threads'?\n"},
        {"log: { apps = []; };", "a.conf:1: unknown setting 'log.apps', did you mean 'apps'?\n"},
        {"something_else_entirely = 1;", "a.conf:1: unknown setting 'something_else_entirely'\n"},
        {"kafka = 1;", "a.conf:1: kafka must be a group, as kafka: { … };, not an integer\n"},
        {"redis: { port = \"6379\"; };",
         "a.conf:1: redis.port must be an integer from 1 to 65535, not a string\n"},
        {"redis: { port = 6379.0; };",
         "a.conf:1: redis.port must be an integer from 1 to 65535, not a number with a fraction\n"},
        {"redis: { port = true; };",
         "a.conf:1: redis.port must be an integer from 1 to 65535, not a boolean\n"},
        {"topics: { create = 1; };", "a.conf:1: topics.create must be true or false, not an integer\n"},
        {"topics: { create = true; };", ""},
        {"redis: { port = 65536; };", "a.conf:1: redis.port must be from 1 to 65535, not 65536\n"},
        {"redis: { port = 99999999999L; };",
         "a.conf:1: redis.port must be from 1 to 65535, not 99999999999\n"},
        {"redis: {\n  host = 1;\n};",
         "a.conf:2: redis.host must be a string (in double quotes), not an integer\n"},
        {"redis: { host = \"\"; };", "a.conf:1: redis.host must not be empty\n"},
        {"redis: { socket = \"run/redis\"; };",
         "a.conf:1: redis.socket: 'run/redis' must be an absolute path\n"},
        {"redis: { key_prefix = \"a{b}\"; };", "a.conf:1: redis.key_prefix: 'a{b}' must hold neither braces "
                                               "(they choose the slot of a key) nor control "
                                               "characters\n"},
        {"apps = \"demo\";", "a.conf:1: apps must be a list of strings, as [ \"a\", \"b\" ], not a string\n"},
        {"apps = [ 1 ];", "a.conf:1: apps must hold strings (in double quotes), not an integer\n"},
        {"apps = ( \"ok\",\n \"a b\", \"\" );",
         "a.conf:2: apps: 'a b' is no app name: 1 to 32 letters, digits, underscores and hyphens\n"
         "a.conf:2: apps must not hold an empty string\n"},
        {"kafka: { brokers = \"a:1, b:1\"; };",
         "a.conf:1: kafka.brokers: 'a:1, b:1' must be HOST:PORT, or several "
         "separated by commas and without blanks\n"},
        {"kafka: { commands = \"a/b\"; };",
         "a.conf:1: kafka.commands: 'a/b' is no topic name: 1 to 249 letters, "
         "digits, dots, underscores and hyphens\n"},
        {"kafka: { commands = \"..\"; };",
         "a.conf:1: kafka.commands: '..' is no topic name: 1 to 249 letters, "
         "digits, dots, underscores and hyphens\n"},
        {"kafka: { commands = \"__x\"; };",
         "a.conf:1: kafka.commands: '__x' begins with __, as only Kafka's own topics do\n"},
        {"kafka: {\n commands = \"account.replies\"; };",
         "a.conf:2: kafka.commands: 'account.replies' is kafka.replies already\n"},
        {"kafka: {\n commands = \"x\";\n exports = \"x\"; };",
         "a.conf:3: kafka.exports: 'x' is kafka.commands already\n"},
        {"kafka: { reply_topics = [ \"^a(b$\" ]; };", "a.conf:1: kafka.reply_topics: '^a(b$' is no POSIX "
                                                      "extended regular expression: Unmatched ( or \\(\n"},
        {"kafka: { reply_topics = [ \"^a\" ]; };",
         "a.conf:1: kafka.reply_topics: '^a' must end with $, since it must match the whole name\n"},
        {"kafka: { reply_topics = [ \"account.commands\" ]; };",
         "a.conf:1: kafka.reply_topics: 'account.commands' is kafka.commands and never takes replies\n"},
        {"kafka: { reply_topics = [ \"account.replies\", \"a.b\", \"^r\\\\.[a-z]+$\" ]; };", ""},
        {"kafka: { properties = [ \"linger.ms\" ]; };",
         "a.conf:1: kafka.properties: 'linger.ms' must be \"name=value\"\n"},
        {"kafka: { properties = [ \"no.such=1\" ]; };",
         "a.conf:1: kafka.properties: 'no.such' is refused by "
         "librdkafka: No such configuration property: \"no.such\"\n"},
        {"kafka: { properties = [ \"bootstrap.servers=a:1\", \"isolation.level=read_uncommitted\" ]; };",
         "a.conf:1: kafka.properties: 'bootstrap.servers' cannot be set: use kafka.brokers\n"
         "a.conf:1: kafka.properties: 'isolation.level' cannot be set: messages of aborted transactions must "
         "not be "
         "read\n"},
        {"kafka: { properties = [ \"sasl.password=hush\" ]; };",
         "a.conf:1: kafka.properties: 'sasl.password' is a secret: write it to a file, and "
         "\"sasl.password_file=/path\" here\n"},
        {"kafka: { properties = [ \"sasl.password_file=a/b\", \"linger.ms_file=/a\" ]; };",
         "a.conf:1: kafka.properties: 'a/b' must be an absolute path, or the name of a systemd credential\n"
         "a.conf:1: kafka.properties: 'linger.ms' is no secret: write \"linger.ms=value\"\n"},
        {"kafka: { properties = [ \"nonsense.password_file=/a\" ]; };",
         "a.conf:1: kafka.properties: 'nonsense.password' is refused by librdkafka: No such configuration "
         "property: \"nonsense.password\"\n"},
        {"kafka: { properties = [ \"ssl.key.pem=x\", \"socket.timeout.ms=x\" ]; };",
         "a.conf:1: kafka.properties: 'ssl.key.pem' cannot be set: a private key belongs into a file: use "
         "ssl.key.location\n"
         "a.conf:1: kafka.properties: 'socket.timeout.ms' is refused by librdkafka: Invalid value for "
         "configuration property \"socket.timeout.ms\"\n"},
        {"kafka: { properties = [ \"sasl.password_file=/a\", \"ssl.key.password_file=kafka-key\" ]; };", ""},
        {"redis: { password_file = \"here/it\"; };",
         "a.conf:1: redis.password_file: 'here/it' must be an absolute path, or the name of a systemd "
         "credential\n"},
        {"kafka: { properties = [ \"linger.ms=5\", \"security.protocol=ssl\" ]; };", ""},
        {"http: { listen = \"localhost:9464\"; };",
         "a.conf:1: http.listen: 'localhost:9464' must be ADDRESS:PORT, as "
         "127.0.0.1:9464 or [::1]:9464\n"},
        {"http: { listen = \"9464\"; };",
         "a.conf:1: http.listen: '9464' must be ADDRESS:PORT, as 127.0.0.1:9464 or [::1]:9464\n"},
        {"http: { listen = \"127.0.0.1:65536\"; };",
         "a.conf:1: http.listen: '127.0.0.1:65536' must be ADDRESS:PORT, as 127.0.0.1:9464 or [::1]:9464\n"},
        {"http: { listen = \"::1:80\"; };",
         "a.conf:1: http.listen: '::1:80' must be ADDRESS:PORT, as 127.0.0.1:9464 or [::1]:9464\n"},
        {"http: { listen = \"[::1]:80\"; };", ""},
        {"log: { level = \"loud\"; format = \"xml\"; };",
         "a.conf:1: log.level: 'loud' must be error, warning, info or debug\n"
         "a.conf:1: log.format: 'xml' must be text or json\n"},
        {"worker: {\n threads 2;\n};", "a.conf:2: syntax error\n"},
        {"worker: { threads = 1; threads = 2; };", "a.conf:1: duplicate setting name\n"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_settings settings;
        int result;
        char *errors = read_text(table[i].text, &settings, &result);

        if (strcmp(errors, table[i].errors) != 0)
            fail_msg("%s\n got: %s\nwant: %s", table[i].text, errors, table[i].errors);
        assert_int_equal(result, table[i].errors[0] ? -1 : 0);
        acd_settings_free(&settings);
        free(errors);
    }
}

static void test_values(void **state)
{
    struct acd_settings settings;
    int result;
    char *errors = read_text("kafka: { brokers = \"b:1,c:2\"; reply_topics = [ \"r\" ];\n"
                             "  properties = [ \"linger.ms=5\", \"client.id=p\\\"w\" ]; };\n"
                             "redis: { port = 1; key_prefix = \"a\\\\b:\\\"\"; }; apps = [ \"x\", \"y\" ];\n"
                             "worker: { threads = 8; };",
                             &settings, &result);
    struct acd_settings again;
    char *printed;
    char *printed_again;

    assert_string_equal(errors, "");
    assert_int_equal(result, 0);
    assert_string_equal(settings.kafka.brokers, "b:1,c:2");
    assert_string_equal(settings.kafka.group, "accountd");
    assert_int_equal(settings.kafka.properties.count, 2);
    assert_string_equal(settings.redis.key_prefix, "a\\b:\"");
    assert_int_equal(settings.redis.port, 1);
    assert_int_equal(settings.apps.count, 2);
    assert_string_equal(settings.apps.items[1], "y");
    assert_int_equal(settings.worker.threads, 8);

    printed = print_text(&settings);
    assert_non_null(strstr(printed, "\"client.id=p\\\"w\""));
    free(errors);
    errors = read_text(printed, &again, &result);
    assert_string_equal(errors, "");
    printed_again = print_text(&again);
    assert_string_equal(printed, printed_again);
    free(printed);
    free(printed_again);
    free(errors);
    acd_settings_free(&settings);
    acd_settings_free(&again);
}

/* What a client of accountd sets for itself, after the operator's properties, is refused in these. */
static void check_owned(const char *file)
{
    static const char call[] = "acd_kafka_set(conf, \"";
    char line[512];
    FILE *source = fopen(file, "r");
    unsigned found = 0;

    if (!source)
        fail_msg("%s cannot be read", file);
    while (fgets(line, sizeof(line), source)) {
        char *name = strstr(line, call);
        char property[256];
        char message[512] = "";

        if (!name)
            continue;
        name += strlen(call);
        snprintf(property, sizeof(property), "%.*s=1", (int)strcspn(name, "\""), name);
        if (acd_check_property(property, message, sizeof(message)) || !strstr(message, "cannot be set: "))
            fail_msg("%s sets %s itself, and kafka.properties may too: %s", file, property, message);
        found++;
    }
    fclose(source);
    assert_true(found > 0);
}

static void test_owned_properties(void **state)
{
    check_owned(ACD_SOURCE_DIR "/src/kafka/consumer_conf.c");
    check_owned(ACD_SOURCE_DIR "/src/kafka/producer.c");
    check_owned(ACD_SOURCE_DIR "/src/kafka/topics.c");
    check_owned(ACD_SOURCE_DIR "/src/kafka/changelog.c");
}

static void test_files(void **state)
{
    static const struct {
        const char *file;
        const char *errors;
    } table[] = {
        {"/nonexistent/a.conf", "/nonexistent/a.conf: cannot be read: No such file or directory\n"},
        {"/", "/: cannot be read: Is a directory\n"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_settings settings;
        char errors[256] = "";
        FILE *stream = fmemopen(errors, sizeof(errors), "w");

        assert_int_equal(acd_settings_default(&settings), 0);
        assert_int_equal(acd_settings_read(&settings, table[i].file, NULL, stream), -1);
        fclose(stream);
        assert_string_equal(errors, table[i].errors);
        acd_settings_free(&settings);
    }
}

/* Reads a file and an environment; the messages are the caller's to free. */
static char *read_both(const char *file, char *const *environment, struct acd_settings *settings, int *result)
{
    char *errors = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&errors, &len);

    assert_non_null(stream);
    assert_int_equal(acd_settings_default(settings), 0);
    *result = acd_settings_read(settings, file, environment, stream);
    fclose(stream);
    return errors;
}

/* Included files are looked for beside the file that includes them, and mistakes in them are theirs. */
static void test_includes(void **state)
{
    static const struct {
        const char *main;
        const char *errors[3]; /* each must be a line's end: releases of libconfig tell more or less of the
                                  path */
    } table[] = {
        {"@include \"good.conf\"\nlog: { level = \"debug\"; };", {NULL}},
        {"@include \"bad.conf\"\nredis: { port = 0; };\n  @include \"sub/bad.conf\"",
         {"bad.conf:2: unknown setting 'kafka.brokerz', did you mean 'brokers'?\n",
          "/main.conf:2: redis.port must be from 1 to 65535, not 0\n",
          "sub/bad.conf:3: worker.threads must be from 1 to 64, not 0\n"}},
        {"\n@include \"broken.conf\"", {"broken.conf:3: syntax error\n"}},
        {"\n\n@include \"missing.conf\"", {"/main.conf:3: cannot open include file\n"}},
        {"@include \"sub\"\n@include \"/\"",
         {"/sub cannot be included: it is a directory\n",
          "/main.conf:2: / cannot be included: it is a directory\n"}},
        {"@include \"main.conf\"\n@include \"main.conf\"",
         {"/main.conf:1: files are included within files more than 10 deep\n"}},
    };
    char here[256];
    char path[300];

    assert_non_null(getcwd(here, sizeof(here)));
    assert_int_equal(mkdir("sub", 0700), 0);
    write_file("good.conf", "apps = [ \"a\" ];\n");
    write_file("bad.conf", "kafka: {\n brokerz = 1; };\n");
    write_file("broken.conf", "\nhttp: {\n nonsense;\n};\n");
    write_file("sub/bad.conf", "worker:\n{\n  threads = 0;\n};\n");
    snprintf(path, sizeof(path), "%s/main.conf", here);
    assert_int_equal(chdir("/"), 0);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_settings settings;
        char *errors;
        int result;

        write_file(path, table[i].main);
        errors = read_both(path, NULL, &settings, &result);
        assert_int_equal(result, table[i].errors[0] ? -1 : 0);
        for (size_t j = 0; j < 3 && table[i].errors[j]; j++)
            if (!strstr(errors, table[i].errors[j]))
                fail_msg("%s\n got: %s\nwant: %s", table[i].main, errors, table[i].errors[j]);
        if (i == 0)
            assert_string_equal(settings.apps.items[0], "a");
        free(errors);
        acd_settings_free(&settings);
    }
    assert_int_equal(chdir(here), 0);
    unlink("good.conf");
    unlink("bad.conf");
    unlink("broken.conf");
    unlink("sub/bad.conf");
    unlink("main.conf");
    assert_int_equal(rmdir("sub"), 0);
}

static void test_environment(void **state)
{
    static const struct {
        char *variable;
        const char *errors;
    } table[] = {
        {"ACCOUNTD_KAFKA_BROKERS=", "ACCOUNTD_KAFKA_BROKERS: kafka.brokers must not be empty\n"},
        {"ACCOUNTD_KAFKA_BROKER=a:1", "ACCOUNTD_KAFKA_BROKER: unknown setting, did you mean "
                                      "'ACCOUNTD_KAFKA_BROKERS'?\n"},
        {"ACCOUNTD_NONSENSE_ENTIRELY=a:1", "ACCOUNTD_NONSENSE_ENTIRELY: unknown setting\n"},
        {"ACCOUNTD_REDIS_PORT=six",
         "ACCOUNTD_REDIS_PORT: redis.port must be an integer from 1 to 65535, not 'six'\n"},
        {"ACCOUNTD_REDIS_PORT= 6",
         "ACCOUNTD_REDIS_PORT: redis.port must be an integer from 1 to 65535, not ' 6'\n"},
        {"ACCOUNTD_REDIS_PORT=99999999999999999999",
         "ACCOUNTD_REDIS_PORT: redis.port must be from 1 to 65535, not 9223372036854775807\n"},
        {"ACCOUNTD_TOPICS_CREATE=yes",
         "ACCOUNTD_TOPICS_CREATE: topics.create must be true or false, not 'yes'\n"},
        {"ACCOUNTD_APPS=a,b c",
         "ACCOUNTD_APPS: apps: 'b c' is no app name: 1 to 32 letters, digits, underscores and hyphens\n"},
        {"ACCOUNTD_APPS=a,", "ACCOUNTD_APPS: apps must not hold an empty string\n"},
        {"ACCOUNTD_APPS=[1]", "ACCOUNTD_APPS: must hold strings, in double quotes between [ and ]\n"},
        {"ACCOUNTD_APPS=[\"a\"]; kafka = 1",
         "ACCOUNTD_APPS: must be a list of strings: a,b or [ \"a\", \"b\" ]\n"},
        {"ACCOUNTD_KAFKA_EXPORTS=changes", "ACCOUNTD_KAFKA_EXPORTS: kafka.exports: 'changes' is "
                                           "kafka.changelog already\n"},
        {"ACCOUNTD_PORT=tcp://10.0.0.1:9464", ""},
        {"ACCOUNTD_SERVICE_HOST=10.0.0.1", ""},
        {"ACCOUNTD_KAFKA_REPLY_TOPICS=[ \"^r{1,2}$\", \"b\" ]", ""},
        {"OTHER=1", ""},
    };

    write_file("a.conf", "kafka: { changelog = \"changes\"; };");
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *const environment[] = {table[i].variable, NULL};
        struct acd_settings settings;
        int result;
        char *errors = read_both("a.conf", environment, &settings, &result);

        if (strcmp(errors, table[i].errors) != 0)
            fail_msg("%s\n got: %s\nwant: %s", table[i].variable, errors, table[i].errors);
        assert_int_equal(result, table[i].errors[0] ? -1 : 0);
        free(errors);
        acd_settings_free(&settings);
    }
    unlink("a.conf");
}

/* The environment's values stand over the file's, and what only the file has stays. */
static void test_environment_over_file(void **state)
{
    char *const environment[] = {"ACCOUNTD_APPS=x,y",
                                 "ACCOUNTD_WORKER_THREADS=7",
                                 "ACCOUNTD_LOG_LEVEL=debug",
                                 "ACCOUNTD_KAFKA_REPLY_TOPICS=[\"^r{1,2}$\"]",
                                 "ACCOUNTD_REDIS_USERNAME=a=b",
                                 "ACCOUNTD_TOPICS_CREATE=true",
                                 NULL};
    struct acd_settings settings;
    char *errors;
    int result;

    write_file("a.conf", "apps = [ \"a\", \"b\", \"c\" ]; worker: { threads = 3; batch_max = 5; };");
    errors = read_both("a.conf", environment, &settings, &result);
    unlink("a.conf");
    assert_string_equal(errors, "");
    assert_int_equal(settings.apps.count, 2);
    assert_string_equal(settings.apps.items[1], "y");
    assert_int_equal(settings.worker.threads, 7);
    assert_int_equal(settings.worker.batch_max, 5);
    assert_string_equal(settings.log.level, "debug");
    assert_string_equal(settings.kafka.reply_topics.items[0], "^r{1,2}$");
    assert_string_equal(settings.redis.username, "a=b");
    assert_true(settings.topics.create);
    free(errors);
    acd_settings_free(&settings);
}

/* Files are written into a directory that is the test's own. */
static int enter_directory(void **state)
{
    static char path[] = "/tmp/accountd-test-XXXXXX";

    *state = path;
    return mkdtemp(path) && chdir(path) == 0 ? 0 : -1;
}

static int leave_directory(void **state)
{
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_owned_properties),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_over_file),
    };

    return cmocka_run_group_tests(tests, enter_directory, leave_directory);
}
