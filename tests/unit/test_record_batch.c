/* Where a transaction's messages begin another record batch, told from the client's configuration. */
#include <stdlib.h>
#include <string.h>

#include "support.h"

#include "../../src/kafka/record_batch.h"

/* As the client is configured, and as a batch is counted: 512 bytes for the request, 36 for a message. */
#define BATCH_BYTES 2000
#define ROOM        (BATCH_BYTES - 512)

static char payload[ROOM];

struct fixture {
    rd_kafka_t *rk;
    rd_kafka_topic_t *one;
    rd_kafka_topic_t *other;
    struct acd_record_batches batches;
};

static int set_up(void **state)
{
    static const char *const properties[][2] = {
        {"batch.size", "2000"}, {"batch.num.messages", "3"}, {"message.max.bytes", "1000000"}};
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char error[256];

    for (size_t i = 0; i < sizeof(properties) / sizeof(*properties); i++)
        assert_int_equal(rd_kafka_conf_set(conf, properties[i][0], properties[i][1], error, sizeof(error)),
                         RD_KAFKA_CONF_OK);
    fixture->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    assert_non_null(fixture->rk);
    fixture->one = rd_kafka_topic_new(fixture->rk, "one", NULL);
    fixture->other = rd_kafka_topic_new(fixture->rk, "other", NULL);
    acd_record_batches_init(&fixture->batches, fixture->rk);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    rd_kafka_topic_destroy(fixture->one);
    rd_kafka_topic_destroy(fixture->other);
    rd_kafka_destroy(fixture->rk);
    free(fixture);
    return 0;
}

/* A message whose key, value and 36 bytes beside are `bytes`. */
static bool add(struct fixture *fixture, const rd_kafka_topic_t *topic, int32_t partition, size_t bytes)
{
    const struct acd_outgoing message = {
        .partition = partition, .key = ACD_LITERAL("k"), .value = acd_slice(payload, bytes - 37)};

    return acd_record_batches_add(&fixture->batches, topic, &message);
}

static void test_bytes(void **state)
{
    struct fixture *fixture = *state;

    assert_true(add(fixture, fixture->one, 0, ROOM - 100));
    assert_false(add(fixture, fixture->one, 0, 101));
    assert_true(add(fixture, fixture->one, 0, 100));
    assert_false(add(fixture, fixture->one, 0, 37));
    acd_record_batches_empty(&fixture->batches);
    assert_true(add(fixture, fixture->one, 0, ROOM));
}

/* Name and value of a header count, and 10 bytes beside. */
static void test_headers(void **state)
{
    struct fixture *fixture = *state;
    const struct acd_header headers[] = {{ACD_LITERAL("name"), ACD_LITERAL("value")},
                                         {ACD_LITERAL("name"), {NULL, 0}}};
    struct acd_outgoing message = {.headers = headers, .header_count = 2};

    assert_true(add(fixture, fixture->one, 0, ROOM - 36 - 32));
    assert_false(acd_record_batches_add(&fixture->batches, fixture->one, &message));
    message.header_count = 1;
    assert_true(acd_record_batches_add(&fixture->batches, fixture->one, &message));
}

static void test_messages(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 3; i++)
        assert_true(add(fixture, fixture->one, 0, 40));
    assert_false(add(fixture, fixture->one, 0, 40));
}

/* Each partition of each topic has batches of its own; ANY_PARTITION counts as one. */
static void test_partitions(void **state)
{
    struct fixture *fixture = *state;

    assert_true(add(fixture, fixture->one, 0, ROOM));
    assert_true(add(fixture, fixture->one, 1, ROOM));
    assert_true(add(fixture, fixture->other, 0, ROOM));
    assert_true(add(fixture, fixture->other, ACD_ANY_PARTITION, ROOM));
    assert_false(add(fixture, fixture->one, 0, 37));
    assert_false(add(fixture, fixture->one, 1, 37));
    assert_false(add(fixture, fixture->other, 0, 37));
    assert_false(add(fixture, fixture->other, ACD_ANY_PARTITION, 37));
}

/* One that no batch has room for goes alone. */
static void test_large(void **state)
{
    struct fixture *fixture = *state;
    struct acd_outgoing large = {.value = acd_slice(payload, sizeof(payload))};

    fixture->batches.bytes_max = 100;
    assert_true(acd_record_batches_add(&fixture->batches, fixture->one, &large));
    assert_false(acd_record_batches_add(&fixture->batches, fixture->one, &large));
    acd_record_batches_empty(&fixture->batches);
    assert_true(acd_record_batches_add(&fixture->batches, fixture->one, &large));
}

/* More partitions than are looked at: those behind are not held up. */
static void test_many(void **state)
{
    struct fixture *fixture = *state;

    for (int32_t i = 0; i < 2 * ACD_RECORD_BATCHES; i++)
        assert_true(add(fixture, fixture->one, i, ROOM));
    assert_false(add(fixture, fixture->one, ACD_RECORD_BATCHES - 1, ROOM));
    assert_true(add(fixture, fixture->one, ACD_RECORD_BATCHES, ROOM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_partitions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
