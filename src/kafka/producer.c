/* The transactional producer, and how each of librdkafka's failures is classed. */
#include "accountd/producer.h"

#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "client.h"
#include "record_batch.h"

/* A transaction that is open longer is aborted by the coordinator, and so frees the partitions' readers. */
#define TRANSACTION_TIMEOUT_MS 10000
/* How long one step may be tried again before the producer is given up. */
#define STEP_DEADLINE_MS    15000
#define OPEN_TIMEOUT_MS     20000
#define RETRY_PAUSE_MS      5
#define CHANGELOG_PARTS_MAX 4096

/* retry.backoff.ms: the coordinator asks to come again while it ends the transaction before, which takes it a
 * millisecond or two; librdkafka's own 100 ms would be the time of every transaction. */
static const struct acd_kafka_default producer_defaults[] = {{"retry.backoff.ms", "2"}, {NULL, NULL}};

/* Topics that the producer has a handle of: its own four, and as many again for reply topics that commands
 * name. Beyond that the oldest goes. */
#define HANDLES_MAX 64

/* Each record of the changelog has the same names in it. Replies are not compressed: they are for clients of
 * any kind, of which some read nothing but gzip. */
#define CHANGELOG_COMPRESSION "lz4"

struct acd_producer {
    rd_kafka_t *rk;
    rd_kafka_topic_t *handles[HANDLES_MAX];
    uint32_t handle_count;
    uint32_t handle_next; /* to be replaced when all are in use */
    char *commands;
    char *changelog;
    const char *changelog_compression; /* NULL: as all topics */
    struct acd_record_batches batches; /* of the transaction */
    int64_t *changelog_ends; /* by partition; written by the delivery callback, on the owner's thread */
    char error[256];
    char blamed[256]; /* the topic whose message failed in this transaction, or empty */
};

/* Without a delivery callback rd_kafka_flush, and so every commit, naps in steps of 10 ms. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct acd_producer *producer = opaque;

    /* A purged message did not fail, it was given up with the others of its transaction. */
    if (message->err && message->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE &&
        message->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        snprintf(producer->blamed, sizeof(producer->blamed), "%s", rd_kafka_topic_name(message->rkt));
    if (message->err || message->partition < 0 || message->partition >= CHANGELOG_PARTS_MAX)
        return;
    if (strcmp(rd_kafka_topic_name(message->rkt), producer->changelog) == 0)
        producer->changelog_ends[message->partition] = message->offset + 1;
}

static rd_kafka_conf_t *producer_conf(const struct acd_settings *settings, const char *transactional_id,
                                      struct acd_producer *producer)
{
    rd_kafka_conf_t *conf = acd_kafka_conf(settings, producer_defaults);
    char number[32];

    snprintf(number, sizeof(number), "%d", TRANSACTION_TIMEOUT_MS);
    acd_kafka_set(conf, "transactional.id", transactional_id);
    acd_kafka_set(conf, "transaction.timeout.ms", number);
    acd_kafka_set(conf, "allow.auto.create.topics", "false");
    acd_kafka_set(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, producer);
    return conf;
}

/* Prints the error, ends it, and says whether the same call may simply be made again. */
static bool take_error(struct acd_producer *producer, const char *step, rd_kafka_error_t *error)
{
    bool retriable = rd_kafka_error_is_retriable(error);

    snprintf(producer->error, sizeof(producer->error), "%s: %s", step, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return retriable;
}

int acd_producer_check(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    return acd_kafka_check(RD_KAFKA_PRODUCER, producer_conf(settings, "check", NULL), error, error_bytes);
}

/* True when kafka.properties has one whose name begins so. */
static bool is_property_set(const struct acd_settings *settings, const char *begin)
{
    for (uint32_t i = 0; i < settings->kafka.properties.count; i++)
        if (strncmp(settings->kafka.properties.items[i], begin, strlen(begin)) == 0)
            return true;
    return false;
}

struct acd_producer *acd_producer_open(const struct acd_settings *settings, const char *transactional_id,
                                       char *error, size_t error_bytes)
{
    struct acd_producer *producer = calloc(1, sizeof(*producer));
    rd_kafka_conf_t *conf;
    rd_kafka_error_t *failure;

    if (!producer)
        return NULL;
    producer->commands = strdup(settings->kafka.commands);
    producer->changelog = strdup(settings->kafka.changelog);
    producer->changelog_compression =
        is_property_set(settings, "compression.") ? NULL : CHANGELOG_COMPRESSION;
    producer->changelog_ends = calloc(CHANGELOG_PARTS_MAX, sizeof(*producer->changelog_ends));
    if (!producer->commands || !producer->changelog || !producer->changelog_ends) {
        snprintf(error, error_bytes, "no memory");
        goto fail;
    }
    conf = producer_conf(settings, transactional_id, producer);
    producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_bytes);
    if (!producer->rk) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    acd_record_batches_init(&producer->batches, producer->rk);
    failure = rd_kafka_init_transactions(producer->rk, OPEN_TIMEOUT_MS);
    if (!failure)
        return producer;
    snprintf(error, error_bytes, "%s", rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
fail:
    acd_producer_close(producer);
    return NULL;
}

void acd_producer_close(struct acd_producer *producer)
{
    if (!producer)
        return;
    for (uint32_t i = 0; i < producer->handle_count; i++)
        rd_kafka_topic_destroy(producer->handles[i]);
    if (producer->rk)
        rd_kafka_destroy(producer->rk);
    free(producer->commands);
    free(producer->changelog);
    free(producer->changelog_ends);
    free(producer);
}

const char *acd_producer_error(const struct acd_producer *producer)
{
    return producer->error;
}

const char *acd_producer_blamed(const struct acd_producer *producer)
{
    return producer->blamed;
}

int64_t acd_producer_changelog_end(const struct acd_producer *producer, int32_t partition)
{
    return partition >= 0 && partition < CHANGELOG_PARTS_MAX ? producer->changelog_ends[partition] : 0;
}

/* Aborts, and classes the failure before it: only a group that has moved on must not be tried again. */
static enum acd_publish abort_after(struct acd_producer *producer, rd_kafka_resp_err_t why)
{
    rd_kafka_error_t *error;
    int64_t deadline = acd_clock_ms() + STEP_DEADLINE_MS;
    char reason[sizeof(producer->error)];

    memcpy(reason, producer->error, sizeof(reason));
    while ((error = rd_kafka_abort_transaction(producer->rk, STEP_DEADLINE_MS))) {
        if (!take_error(producer, "abort", error) || acd_clock_ms() > deadline)
            return ACD_PUBLISH_LOST;
    }
    memcpy(producer->error, reason, sizeof(reason));
    switch (why) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return ACD_PUBLISH_FENCED;
    default:
        return ACD_PUBLISH_AGAIN;
    }
}

/* After a failed step: abort where librdkafka asks for it, give the producer up where it does not say. */
static enum acd_publish give_up(struct acd_producer *producer, const char *step, rd_kafka_error_t *error)
{
    rd_kafka_resp_err_t why = rd_kafka_error_code(error);
    bool abortable = rd_kafka_error_txn_requires_abort(error) && !rd_kafka_error_is_fatal(error);

    take_error(producer, step, error);
    return abortable ? abort_after(producer, why) : ACD_PUBLISH_LOST;
}

static bool again(rd_kafka_error_t *error, int64_t deadline)
{
    if (!rd_kafka_error_is_retriable(error) || acd_clock_ms() > deadline)
        return false;
    rd_kafka_error_destroy(error);
    acd_clock_sleep_ms(RETRY_PAUSE_MS);
    return true;
}

/* The offsets with their tokens; librdkafka frees these with the list. NULL without memory: an offset without
 * its token would pass for one that somebody else has set. */
static rd_kafka_topic_partition_list_t *offset_list(const struct acd_producer *producer,
                                                    const struct acd_offset *offsets, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_t *item =
            rd_kafka_topic_partition_list_add(list, producer->commands, offsets[i].partition);

        item->offset = offsets[i].next;
        item->metadata = malloc(offsets[i].token.len);
        if (!item->metadata) {
            rd_kafka_topic_partition_list_destroy(list);
            return NULL;
        }
        item->metadata_size = offsets[i].token.len;
        memcpy(item->metadata, offsets[i].token.data, offsets[i].token.len);
    }
    return list;
}

static rd_kafka_error_t *send_offsets(struct acd_producer *producer, const struct acd_group *group,
                                      rd_kafka_topic_partition_list_t *list)
{
    int64_t deadline = acd_clock_ms() + STEP_DEADLINE_MS;
    rd_kafka_error_t *error;

    do
        error = rd_kafka_send_offsets_to_transaction(producer->rk, list, group->metadata, STEP_DEADLINE_MS);
    while (error && again(error, deadline));
    return error;
}

static rd_kafka_topic_t *handle_of(struct acd_producer *producer, struct acd_slice name)
{
    rd_kafka_topic_t *topic;
    rd_kafka_topic_t **place;

    for (uint32_t i = 0; i < producer->handle_count; i++)
        if (acd_slice_is(name, rd_kafka_topic_name(producer->handles[i])))
            return producer->handles[i];
    topic = acd_kafka_topic(producer->rk, name,
                            acd_slice_is(name, producer->changelog) ? producer->changelog_compression : NULL,
                            STEP_DEADLINE_MS);
    if (!topic)
        return NULL;
    if (producer->handle_count < HANDLES_MAX) {
        place = &producer->handles[producer->handle_count++];
    } else {
        place = &producer->handles[producer->handle_next++ % HANDLES_MAX];
        rd_kafka_topic_destroy(*place);
    }
    *place = topic;
    return topic;
}

/* Waits for what was sent, where the message begins another record batch. What goes wrong with that goes
 * wrong with the commit, too, and has its words then. */
static void make_room(struct acd_producer *producer, const rd_kafka_topic_t *topic,
                      const struct acd_outgoing *message)
{
    if (acd_record_batches_add(&producer->batches, topic, message))
        return;
    rd_kafka_flush(producer->rk, STEP_DEADLINE_MS);
    acd_record_batches_empty(&producer->batches);
    acd_record_batches_add(&producer->batches, topic, message);
}

/* The payload is not copied: it lives in the batch's arena or outbox, longer than the transaction. */
static rd_kafka_resp_err_t send_message(struct acd_producer *producer, const struct acd_outgoing *message)
{
    rd_kafka_topic_t *topic = handle_of(producer, message->topic);
    int64_t deadline = acd_clock_ms() + STEP_DEADLINE_MS;
    rd_kafka_headers_t *headers;
    rd_kafka_resp_err_t failure;

    if (!topic)
        return RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    make_room(producer, topic, message);
    headers = acd_kafka_headers(message);
    for (;;) {
        failure = rd_kafka_producev(
            producer->rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(message->partition),
            RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(message->key.data, message->key.len),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.data, message->value.len),
            RD_KAFKA_V_TIMESTAMP(message->timestamp_ms), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (failure != RD_KAFKA_RESP_ERR__QUEUE_FULL || acd_clock_ms() > deadline)
            break;
        rd_kafka_poll(producer->rk, 10);
    }
    if (failure)
        rd_kafka_headers_destroy(headers);
    return failure;
}

static enum acd_publish commit(struct acd_producer *producer)
{
    int64_t deadline = acd_clock_ms() + STEP_DEADLINE_MS;
    rd_kafka_error_t *error;

    do
        error = rd_kafka_commit_transaction(producer->rk, STEP_DEADLINE_MS);
    while (error && again(error, deadline));
    return error ? give_up(producer, "commit", error) : ACD_PUBLISHED;
}

/* Begins the transaction with its offsets. ACD_PUBLISHED: so far. */
static enum acd_publish begin(struct acd_producer *producer, const struct acd_group *group,
                              const struct acd_offset *offsets, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = offset_list(producer, offsets, count);
    enum acd_publish result = ACD_PUBLISHED;
    rd_kafka_error_t *error;

    if (!list) {
        snprintf(producer->error, sizeof(producer->error), "no memory");
        return ACD_PUBLISH_AGAIN;
    }
    error = rd_kafka_begin_transaction(producer->rk);
    if (error) {
        take_error(producer, "begin", error);
        result = ACD_PUBLISH_LOST;
    } else {
        error = send_offsets(producer, group, list);
        if (error)
            result = give_up(producer, "offsets", error);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

enum acd_publish acd_producer_publish(struct acd_producer *producer, const struct acd_group *group,
                                      const struct acd_offset *offsets, uint32_t offset_count,
                                      const struct acd_outgoing *messages, uint32_t message_count)
{
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;
    enum acd_publish begun;

    producer->blamed[0] = '\0';
    for (uint32_t i = 0; i < message_count; i++)
        handle_of(producer, messages[i].topic);
    acd_record_batches_empty(&producer->batches);
    begun = begin(producer, group, offsets, offset_count);
    if (begun != ACD_PUBLISHED)
        return begun;
    for (uint32_t i = 0; i < message_count && !failure; i++) {
        failure = send_message(producer, &messages[i]);
        if (!failure)
            continue;
        snprintf(producer->blamed, sizeof(producer->blamed), "%.*s", ACD_SLICE_ARGS(messages[i].topic));
        snprintf(producer->error, sizeof(producer->error), "message for %.*s: %s",
                 ACD_SLICE_ARGS(messages[i].topic), rd_kafka_err2str(failure));
    }
    return failure ? abort_after(producer, failure) : commit(producer);
}
