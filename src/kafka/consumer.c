/* The consumer: librdkafka's classic, eager group protocol, with assignments taken over by hand. */
#include "accountd/consumer.h"

#include <stdio.h>
#include <stdlib.h>

#include "accountd/log.h"
#include "client.h"

/* How long a question to the cluster may take. */
#define ASK_TIMEOUT_MS 15000

/* A stable fetch waits for open transactions. That of a worker that died may stay open for longer than this;
 * it is asked again then, and the group, which may be waiting for this member, is served in between. */
#define STABLE_TIMEOUT_MS 2000

/* Logs whose beginning is asked for before they are fetched, one after the other, and how long each may take.
 */
#define BEGINNINGS_MAX       64
#define BEGINNING_TIMEOUT_MS 1000

/* Messages taken from librdkafka at once: a lock for each of them would show. */
#define FETCHED_MAX 256

struct acd_consumer {
    const struct acd_settings *settings;
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *fetched[FETCHED_MAX];
    uint32_t fetched_count;
    uint32_t fetched_next; /* those before it were given away */
    const char *topic;
    const char *changelog;
    uint64_t epoch;
    bool missed; /* there was no memory for an assignment: it is to be asked for again */
    int32_t *assigned;
    uint32_t assigned_count;
    struct acd_group group; /* metadata NULL: no assignment */
    char error[256];
    char trouble[256]; /* what the last poll with one said; empty from an assignment on */
};

static int fail(struct acd_consumer *consumer, const char *what, rd_kafka_resp_err_t error)
{
    snprintf(consumer->error, sizeof(consumer->error), "%s: %s", what, rd_kafka_err2str(error));
    return -1;
}

static void forget_assignment(struct acd_consumer *consumer)
{
    if (consumer->group.metadata)
        rd_kafka_consumer_group_metadata_destroy(consumer->group.metadata);
    consumer->group.metadata = NULL;
    free(consumer->assigned);
    consumer->assigned = NULL;
    consumer->assigned_count = 0;
    consumer->epoch++;
}

/* The broker accepts metadata without a member although the group is active: it would fence nothing. */
static rd_kafka_consumer_group_metadata_t *member_metadata(rd_kafka_t *rk)
{
    char *member = rd_kafka_memberid(rk);
    bool named = member && *member;

    if (member)
        rd_kafka_mem_free(rk, member);
    return named ? rd_kafka_consumer_group_metadata(rk) : NULL;
}

/* Group metadata is captured here and nowhere else: read later it would be that of a generation that this
 * worker has rejoined in the background, and the broker would accept what was decided before. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t *list,
                         void *opaque)
{
    struct acd_consumer *consumer = opaque;
    rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);

    forget_assignment(consumer);
    consumer->trouble[0] = '\0';
    if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        consumer->assigned = calloc((size_t)list->cnt + 1, sizeof(*consumer->assigned));
        consumer->missed = !consumer->assigned;
        for (int i = 0; consumer->assigned && i < list->cnt; i++)
            consumer->assigned[consumer->assigned_count++] = list->elems[i].partition;
        consumer->group.metadata = member_metadata(rk);
        /* Nothing is fetched until the worker knows where each partition stands. */
        rd_kafka_assign(rk, none);
    } else {
        /* What a held batch has paused stays paused over an assignment, also for the next owner, who may be
         * us. */
        rd_kafka_resume_partitions(rk, list);
        rd_kafka_assign(rk, NULL);
    }
    rd_kafka_topic_partition_list_destroy(none);
}

/* Messages that were taken and not given away: those of another assignment, or of other positions. */
static void drop_fetched(struct acd_consumer *consumer)
{
    while (consumer->fetched_next < consumer->fetched_count)
        rd_kafka_message_destroy(consumer->fetched[consumer->fetched_next++]);
}

static rd_kafka_conf_t *consumer_conf(const struct acd_settings *settings, struct acd_consumer *consumer)
{
    rd_kafka_conf_t *conf = acd_kafka_consumer_conf(settings);

    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_opaque(conf, consumer);
    return conf;
}

/* A client that is ready to join. NULL with the reason in `error`. */
static rd_kafka_t *new_client(struct acd_consumer *consumer, char *error, size_t error_bytes)
{
    rd_kafka_conf_t *conf = consumer_conf(consumer->settings, consumer);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, error_bytes);

    if (rk)
        rd_kafka_poll_set_consumer(rk);
    else
        rd_kafka_conf_destroy(conf);
    return rk;
}

static rd_kafka_resp_err_t join(const struct acd_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t failure;

    rd_kafka_topic_partition_list_add(topics, consumer->topic, RD_KAFKA_PARTITION_UA);
    failure = rd_kafka_subscribe(consumer->rk, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return failure;
}

int acd_consumer_check(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    return acd_kafka_check(RD_KAFKA_CONSUMER, consumer_conf(settings, NULL), error, error_bytes);
}

struct acd_consumer *acd_consumer_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_consumer *consumer = calloc(1, sizeof(*consumer));
    rd_kafka_resp_err_t failure;

    if (!consumer)
        return NULL;
    consumer->settings = settings;
    consumer->topic = settings->kafka.commands;
    consumer->changelog = settings->kafka.changelog;
    consumer->rk = new_client(consumer, error, error_bytes);
    if (consumer->rk) {
        consumer->queue = rd_kafka_queue_get_consumer(consumer->rk);
        failure = join(consumer);
        if (!failure)
            return consumer;
        snprintf(error, error_bytes, "subscribe: %s", rd_kafka_err2str(failure));
    }
    acd_consumer_close(consumer);
    return NULL;
}

static void leave(struct acd_consumer *consumer)
{
    drop_fetched(consumer);
    rd_kafka_queue_destroy(consumer->queue);
    rd_kafka_consumer_close(consumer->rk);
    rd_kafka_destroy(consumer->rk);
    forget_assignment(consumer);
}

int acd_consumer_rejoin(struct acd_consumer *consumer)
{
    rd_kafka_t *next = new_client(consumer, consumer->error, sizeof(consumer->error));
    rd_kafka_resp_err_t failure;

    if (!next)
        return -1;
    leave(consumer);
    consumer->rk = next;
    consumer->queue = rd_kafka_queue_get_consumer(next);
    failure = join(consumer);
    return failure ? fail(consumer, "subscribe", failure) : 0;
}

void acd_consumer_close(struct acd_consumer *consumer)
{
    if (!consumer)
        return;
    if (consumer->rk)
        leave(consumer);
    free(consumer);
}

const char *acd_consumer_error(const struct acd_consumer *consumer)
{
    return consumer->error;
}

const char *acd_consumer_trouble(const struct acd_consumer *consumer)
{
    return consumer->trouble;
}

static void fill_record(struct acd_record *record, rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;

    record->partition = message->partition;
    record->offset = message->offset;
    record->timestamp_ms = rd_kafka_message_timestamp(message, &type);
    record->key = acd_slice(message->key, message->key_len);
    record->value = acd_slice(message->payload, message->len);
    record->message = message;
}

/* The next message: one that is there already, or the first that comes. A batch is taken without waiting
 * only, as librdkafka would wait until it is full. */
static rd_kafka_message_t *next_message(struct acd_consumer *consumer, int timeout_ms)
{
    uint64_t epoch = consumer->epoch;
    ssize_t count;

    if (consumer->fetched_next < consumer->fetched_count)
        return consumer->fetched[consumer->fetched_next++];
    if (timeout_ms > 0)
        return rd_kafka_consumer_poll(consumer->rk, timeout_ms);
    count = rd_kafka_consume_batch_queue(consumer->queue, 0, consumer->fetched, FETCHED_MAX);
    consumer->fetched_count = count > 0 ? (uint32_t)count : 0;
    consumer->fetched_next = 0;
    /* An assignment came up on the way: which messages came before it cannot be told. */
    if (consumer->epoch != epoch)
        drop_fetched(consumer);
    return consumer->fetched_next < consumer->fetched_count ? consumer->fetched[consumer->fetched_next++]
                                                            : NULL;
}

enum acd_poll acd_consumer_poll(struct acd_consumer *consumer, int timeout_ms, struct acd_record *record)
{
    rd_kafka_message_t *message = next_message(consumer, timeout_ms);
    enum acd_poll result = ACD_POLL_NOTHING;

    /* To subscribe once more is to leave and to join. */
    if (consumer->missed)
        consumer->missed = join(consumer) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!message)
        return ACD_POLL_NOTHING;
    if (!message->err) {
        fill_record(record, message);
        return ACD_POLL_RECORD;
    }
    record->partition = message->partition;
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        result = ACD_POLL_OUT_OF_RANGE;
    } else {
        snprintf(consumer->trouble, sizeof(consumer->trouble), "%s", rd_kafka_message_errstr(message));
        acd_log(ACD_LOG_WARNING, "kafka: consumer: %s", consumer->trouble);
        /* librdkafka from 2.8 on counts an error that comes with a batch as a record. */
        result = message->partition >= 0 ? ACD_POLL_ASTRAY : ACD_POLL_NOTHING;
    }
    rd_kafka_message_destroy(message);
    return result;
}

void acd_record_release(struct acd_record *record)
{
    rd_kafka_message_destroy(record->message);
    record->message = NULL;
}

int acd_record_headers(const struct acd_record *record, struct acd_arena *arena,
                       const struct acd_header **headers, uint32_t *count)
{
    rd_kafka_headers_t *list;
    rd_kafka_resp_err_t failure = rd_kafka_message_headers(record->message, &list);
    struct acd_header *out;

    *headers = NULL;
    *count = 0;
    if (failure)
        return failure == RD_KAFKA_RESP_ERR__NOENT ? 0 : -1;
    *count = (uint32_t)rd_kafka_header_cnt(list);
    out = acd_arena_calloc(arena, *count, sizeof(*out));
    for (uint32_t i = 0; i < *count; i++) {
        const char *name;
        const void *value;
        size_t len;

        rd_kafka_header_get_all(list, i, &name, &value, &len);
        out[i].name = acd_slice_str(name);
        out[i].value = acd_slice(value, len);
    }
    *headers = out;
    return 0;
}

uint64_t acd_consumer_epoch(const struct acd_consumer *consumer)
{
    return consumer->epoch;
}

uint32_t acd_consumer_assigned(const struct acd_consumer *consumer, const int32_t **partitions)
{
    *partitions = consumer->assigned;
    return consumer->assigned_count;
}

const struct acd_group *acd_consumer_group(const struct acd_consumer *consumer)
{
    return consumer->group.metadata ? &consumer->group : NULL;
}

/* Where logs begin, as numbers: of an assignment that does not say so, librdkafka finds that out half a
 * second later. One that is away, or a number that is old by the time it is used, costs no more than that. */
static void ask_beginnings(struct acd_consumer *consumer, rd_kafka_topic_partition_list_t *list)
{
    int64_t end;

    for (int i = 0; i < list->cnt && i < BEGINNINGS_MAX; i++) {
        rd_kafka_topic_partition_t *item = &list->elems[i];

        if (item->offset == RD_KAFKA_OFFSET_BEGINNING &&
            rd_kafka_query_watermark_offsets(consumer->rk, consumer->topic, item->partition, &item->offset,
                                             &end, BEGINNING_TIMEOUT_MS))
            return;
    }
}

int acd_consumer_start(struct acd_consumer *consumer, const struct acd_position *positions, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t failure;

    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, consumer->topic, positions[i].partition)->offset =
            positions[i].offset == ACD_OFFSET_BEGINNING ? RD_KAFKA_OFFSET_BEGINNING : positions[i].offset;
    ask_beginnings(consumer, list);
    drop_fetched(consumer);
    /* An assignment does not end a pause. */
    rd_kafka_resume_partitions(consumer->rk, list);
    failure = rd_kafka_assign(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return failure ? fail(consumer, "assign", failure) : 0;
}

void acd_consumer_pause(struct acd_consumer *consumer, bool pause)
{
    rd_kafka_topic_partition_list_t *list = NULL;

    if (rd_kafka_assignment(consumer->rk, &list))
        return;
    if (pause)
        rd_kafka_pause_partitions(consumer->rk, list);
    else
        rd_kafka_resume_partitions(consumer->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static int ask_committed(struct acd_consumer *consumer, struct acd_arena *arena,
                         rd_kafka_topic_partition_list_t *list, struct acd_committed *out)
{
    rd_kafka_resp_err_t failure = rd_kafka_committed(consumer->rk, list, STABLE_TIMEOUT_MS);

    for (int i = 0; !failure && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *answer = &list->elems[i];

        failure = answer->err;
        out[i].exists = answer->offset >= 0;
        out[i].offset = answer->offset;
        out[i].metadata = acd_arena_copy(arena, acd_slice(answer->metadata, answer->metadata_size));
    }
    return failure ? fail(consumer, "committed offsets", failure) : 0;
}

int acd_consumer_committed(struct acd_consumer *consumer, struct acd_arena *arena, const int32_t *partitions,
                           uint32_t count, struct acd_committed *out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    int result;

    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, consumer->topic, partitions[i]);
    result = ask_committed(consumer, arena, list, out);
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

int acd_consumer_partitions(struct acd_consumer *consumer, int32_t *out)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer->rk, consumer->topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t failure = rd_kafka_metadata(consumer->rk, 0, topic, &metadata, ASK_TIMEOUT_MS);

    if (!failure)
        failure = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (!failure)
        *out = metadata->topics[0].partition_cnt;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return failure ? fail(consumer, "partitions of the command topic", failure) : 0;
}

bool acd_consumer_known_bounds(const struct acd_consumer *consumer, int32_t partition, int64_t *first,
                               int64_t *end)
{
    return !rd_kafka_get_watermark_offsets(consumer->rk, consumer->topic, partition, first, end) &&
           *first >= 0 && *end >= *first;
}

int acd_consumer_bounds(struct acd_consumer *consumer, int32_t partition, int64_t *first, int64_t *end)
{
    rd_kafka_resp_err_t failure = rd_kafka_query_watermark_offsets(consumer->rk, consumer->topic, partition,
                                                                   first, end, ASK_TIMEOUT_MS);

    return failure ? fail(consumer, "bounds of the log", failure) : 0;
}

int acd_consumer_announced(struct acd_consumer *consumer, struct acd_arena *arena, struct acd_committed *out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int result;

    rd_kafka_topic_partition_list_add(list, consumer->changelog, 0);
    result = ask_committed(consumer, arena, list, out);
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

/* One partition's offset with metadata, in a list; librdkafka frees the metadata with the list. False without
 * memory: an offset without its metadata would pass for one that somebody else has set. */
static bool add_offset(rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition,
                       int64_t offset, struct acd_slice metadata)
{
    rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(list, topic, partition);

    item->offset = offset;
    item->metadata = malloc(metadata.len + 1);
    if (!item->metadata)
        return false;
    item->metadata_size = metadata.len;
    memcpy(item->metadata, metadata.data, metadata.len);
    return true;
}

int acd_consumer_announce(struct acd_consumer *consumer, struct acd_slice metadata)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t failure = add_offset(list, consumer->changelog, 0, 0, metadata)
                                      ? rd_kafka_commit(consumer->rk, list, 0)
                                      : RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;

    rd_kafka_topic_partition_list_destroy(list);
    return failure ? fail(consumer, "announcement in the group, for which the changelog must be readable",
                          failure)
                   : 0;
}

int acd_consumer_commit(struct acd_consumer *consumer, const struct acd_offset *offsets, uint32_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;

    for (uint32_t i = 0; i < count; i++)
        if (!add_offset(list, consumer->topic, offsets[i].partition, offsets[i].next, offsets[i].token))
            failure = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    if (!failure)
        failure = rd_kafka_commit(consumer->rk, list, 0);
    rd_kafka_topic_partition_list_destroy(list);
    return failure ? fail(consumer, "commit", failure) : 0;
}
