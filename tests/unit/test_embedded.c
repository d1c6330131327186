/* The embedded Kafka and Redis: they serve, and nothing of them is left afterwards. */
#include <arpa/inet.h>
#include <glob.h>
#include <hiredis/hiredis.h>
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/clock.h"
#include "accountd/embedded.h"
#include "accountd/embedded_redis.h"

#define DEADLINE_MS 10000

static void test_kafka(void **state)
{
    struct acd_settings settings;
    struct acd_embedded *kafka;
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    char error[256] = "";

    assert_int_equal(acd_settings_default(&settings), 0);
    kafka = acd_embedded_start(&settings, error, sizeof(error));
    assert_string_equal(error, "");
    assert_non_null(kafka);
    assert_memory_equal(acd_embedded_brokers(kafka), "127.0.0.1:", 10);

    rd_kafka_conf_set(conf, "bootstrap.servers", acd_embedded_brokers(kafka), error, sizeof(error));
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    assert_non_null(rk);
    assert_int_equal(rd_kafka_metadata(rk, 1, NULL, &metadata, DEADLINE_MS), 0);
    assert_int_equal(metadata->topic_cnt, 5);
    for (int i = 0; i < metadata->topic_cnt; i++)
        assert_int_equal(metadata->topics[i].partition_cnt, ACD_EMBEDDED_PARTITIONS);
    rd_kafka_metadata_destroy(metadata);
    assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("account.commands"), RD_KAFKA_V_VALUE("{}", 2),
                                       RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(rk, DEADLINE_MS), 0);
    rd_kafka_destroy(rk);
    acd_embedded_stop(kafka);
    acd_embedded_stop(NULL);
    acd_settings_free(&settings);
}

/* True when a Redis answers PING on the port. */
static bool serves(int port)
{
    redisContext *context = redisConnect("127.0.0.1", port);
    redisReply *reply = context && !context->err ? redisCommand(context, "PING") : NULL;
    bool pong = reply && reply->type == REDIS_REPLY_STATUS && strcmp(reply->str, "PONG") == 0;

    if (reply)
        freeReplyObject(reply);
    if (context)
        redisFree(context);
    return pong;
}

static size_t leftovers(void)
{
    char pattern[256];
    const char *temporary = getenv("TMPDIR");
    glob_t found;
    size_t count;

    snprintf(pattern, sizeof(pattern), "%s/accountd-redis-*", temporary ? temporary : "/tmp");
    count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void test_redis(void **state)
{
    char error[256] = "";
    struct acd_embedded_redis *redis = acd_embedded_redis_start(error, sizeof(error));
    int port;

    assert_string_equal(error, "");
    assert_non_null(redis);
    port = acd_embedded_redis_port(redis);
    assert_true(serves(port));
    assert_int_equal(leftovers(), 0);
    acd_embedded_redis_stop(redis);
    assert_false(serves(port));
    acd_embedded_redis_stop(NULL);
}

/* Even when the parent is killed and can clean up nothing. */
static void test_redis_of_killed_parent(void **state)
{
    int64_t deadline = acd_clock_ms() + DEADLINE_MS;
    int ends[2];
    int port = 0;
    pid_t parent;

    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (parent == 0) {
        char error[256];
        struct acd_embedded_redis *redis = acd_embedded_redis_start(error, sizeof(error));

        port = redis ? acd_embedded_redis_port(redis) : 0;
        if (write(ends[1], &port, sizeof(port)) < 0)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &port, sizeof(port)), sizeof(port));
    assert_true(serves(port));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    while (serves(port) && acd_clock_ms() < deadline)
        acd_clock_sleep_ms(10);
    assert_false(serves(port));
    assert_int_equal(leftovers(), 0);
    close(ends[0]);
    close(ends[1]);
}

static void test_redis_missing(void **state)
{
    char *path = strdup(getenv("PATH"));
    char error[256] = "";

    setenv("PATH", "/nonexistent", 1);
    assert_null(acd_embedded_redis_start(error, sizeof(error)));
    setenv("PATH", path, 1);
    assert_string_equal(error, "redis-server is not installed, or not in PATH");
    assert_int_equal(leftovers(), 0);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kafka),
        cmocka_unit_test(test_redis),
        cmocka_unit_test(test_redis_of_killed_parent),
        cmocka_unit_test(test_redis_missing),
    };
    static char directory[] = "/tmp/accountd-test-XXXXXX";
    int failed;

    /* Others may use the common one for the same at this moment. */
    if (!mkdtemp(directory))
        return 1;
    setenv("TMPDIR", directory, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
