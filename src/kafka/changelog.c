/* Reads the changelog with a consumer that belongs to no group. */
#include "accountd/changelog.h"

#include <stdio.h>
#include <stdlib.h>

#include "accountd/log.h"
#include "client.h"

#define ASK_TIMEOUT_MS 15000

/* A restart waits for this reader: large fetches, and much of it ahead. Where one fetch ends at a transaction
 * that is still open, the next look is not far. */
static const struct acd_kafka_default reader_defaults[] = {{"fetch.wait.max.ms", "50"},
                                                           {"fetch.error.backoff.ms", "50"},
                                                           {"fetch.message.max.bytes", "4194304"},
                                                           {"queued.min.messages", "100000"},
                                                           {"queued.max.messages.kbytes", "32768"},
                                                           {NULL, NULL}};

/* Where reading is in one partition. */
struct place {
    int64_t first;
    int64_t end;
    int64_t next;
};

struct acd_changelog {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    const char *topic;
    struct place *places;
    int32_t count;
    rd_kafka_message_t **messages; /* of one read; librdkafka fills in pointers, callers want records */
    uint32_t capacity;
    char error[256];
};

/* What the protocol asks for in place of a time. */
#define FIRST_OFFSET (-2)
#define END_OFFSET   (-1)

/* One question for all partitions: asked one by one, a changelog of many would take seconds. */
static rd_kafka_resp_err_t ask_offsets(rd_kafka_t *rk, struct acd_changelog *changelog, int64_t what)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(changelog->count);
    rd_kafka_resp_err_t failure;

    for (int32_t i = 0; i < changelog->count; i++)
        rd_kafka_topic_partition_list_add(list, changelog->topic, i)->offset = what;
    failure = rd_kafka_offsets_for_times(rk, list, ASK_TIMEOUT_MS);
    for (int32_t i = 0; i < changelog->count && !failure; i++) {
        struct place *place = &changelog->places[i];

        failure = list->elems[i].err;
        *(what == END_OFFSET ? &place->end : &place->first) = list->elems[i].offset;
        place->next = place->first;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return failure;
}

/* The ends must be those of the log: a client that reads committed records only is told where the first open
 * transaction begins. So a second client asks. */
static rd_kafka_resp_err_t ask_bounds(struct acd_changelog *changelog, const struct acd_settings *settings,
                                      char *error, size_t error_bytes)
{
    static const struct acd_kafka_default defaults[] = {{"isolation.level", "read_uncommitted"},
                                                        {NULL, NULL}};
    rd_kafka_conf_t *conf = acd_kafka_conf(settings, defaults);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, error_bytes);
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_NO_ERROR;

    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    failure = ask_offsets(rk, changelog, FIRST_OFFSET);
    if (!failure)
        failure = ask_offsets(rk, changelog, END_OFFSET);
    if (failure)
        snprintf(error, error_bytes, "bounds of topic %s: %s", changelog->topic, rd_kafka_err2str(failure));
    rd_kafka_destroy(rk);
    return failure;
}

static int ask_partitions(struct acd_changelog *changelog, char *error, size_t error_bytes)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(changelog->rk, changelog->topic, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t failure = rd_kafka_metadata(changelog->rk, 0, topic, &metadata, ASK_TIMEOUT_MS);

    if (!failure && metadata->topic_cnt == 1) {
        failure = metadata->topics[0].err;
        changelog->count = metadata->topics[0].partition_cnt;
        if (!failure && changelog->count == 0)
            failure = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    if (failure)
        snprintf(error, error_bytes, "topic %s: %s", changelog->topic, rd_kafka_err2str(failure));
    return failure ? -1 : 0;
}

static int start_reading(struct acd_changelog *changelog)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(changelog->count);
    rd_kafka_resp_err_t failure;

    for (int32_t i = 0; i < changelog->count; i++)
        if (changelog->places[i].next < changelog->places[i].end)
            rd_kafka_topic_partition_list_add(list, changelog->topic, i)->offset = changelog->places[i].first;
    failure = rd_kafka_assign(changelog->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return failure ? -1 : 0;
}

struct acd_changelog *acd_changelog_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_changelog *changelog = calloc(1, sizeof(*changelog));
    rd_kafka_conf_t *conf;

    if (!changelog)
        return NULL;
    changelog->topic = settings->kafka.changelog;
    conf = acd_kafka_conf(settings, reader_defaults);
    /* librdkafka wants a group's name even from a reader that joins none. */
    acd_kafka_set(conf, "group.id", settings->kafka.group);
    acd_kafka_set(conf, "enable.auto.commit", "false");
    acd_kafka_set(conf, "enable.partition.eof", "true");
    acd_kafka_set(conf, "isolation.level", "read_committed");
    acd_kafka_set(conf, "auto.offset.reset", "error");
    acd_kafka_set(conf, "allow.auto.create.topics", "false");
    acd_kafka_set(conf, "check.crcs", "true");
    changelog->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, error_bytes);
    if (!changelog->rk) {
        rd_kafka_conf_destroy(conf);
        goto fail;
    }
    if (ask_partitions(changelog, error, error_bytes))
        goto fail;
    changelog->places = calloc((size_t)changelog->count + 1, sizeof(*changelog->places));
    if (!changelog->places || ask_bounds(changelog, settings, error, error_bytes))
        goto fail;
    rd_kafka_poll_set_consumer(changelog->rk);
    changelog->queue = rd_kafka_queue_get_consumer(changelog->rk);
    if (changelog->queue && start_reading(changelog) == 0)
        return changelog;
fail:
    acd_changelog_close(changelog);
    return NULL;
}

void acd_changelog_close(struct acd_changelog *changelog)
{
    if (!changelog)
        return;
    if (changelog->queue)
        rd_kafka_queue_destroy(changelog->queue);
    if (changelog->rk) {
        rd_kafka_consumer_close(changelog->rk);
        rd_kafka_destroy(changelog->rk);
    }
    free(changelog->messages);
    free(changelog->places);
    free(changelog);
}

int32_t acd_changelog_partitions(const struct acd_changelog *changelog)
{
    return changelog->count;
}

void acd_changelog_bounds(const struct acd_changelog *changelog, int32_t partition, int64_t *first,
                          int64_t *end)
{
    *first = changelog->places[partition].first;
    *end = changelog->places[partition].end;
}

/* Takes what one message says; true when it is a record before the end. A partition's end comes as a message
 * too, with the offset that is next. */
static bool take(struct acd_changelog *changelog, rd_kafka_message_t *message, struct acd_record *record)
{
    struct place *place = message->partition >= 0 && message->partition < changelog->count
                              ? &changelog->places[message->partition]
                              : NULL;
    rd_kafka_timestamp_type_t type;

    if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* What librdkafka mends by itself comes again as records; a log that was cut does not. */
        acd_log(ACD_LOG_WARNING, "kafka: changelog: %s", rd_kafka_message_errstr(message));
        if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
            message->err == RD_KAFKA_RESP_ERR__BAD_MSG || message->err == RD_KAFKA_RESP_ERR__BAD_COMPRESSION)
            snprintf(changelog->error, sizeof(changelog->error), "%s", rd_kafka_message_errstr(message));
        return false;
    }
    if (!place)
        return false;
    if (message->err) {
        if (message->offset > place->next)
            place->next = message->offset;
        return false;
    }
    if (message->offset >= place->end) {
        place->next = place->end;
        return false;
    }
    place->next = message->offset + 1;
    *record = (struct acd_record){.partition = message->partition,
                                  .offset = message->offset,
                                  .timestamp_ms = rd_kafka_message_timestamp(message, &type),
                                  .key = acd_slice(message->key, message->key_len),
                                  .value = acd_slice(message->payload, message->len),
                                  .message = message};
    return true;
}

int32_t acd_changelog_read(struct acd_changelog *changelog, int timeout_ms, struct acd_record *records,
                           uint32_t max)
{
    ssize_t got;
    int32_t count = 0;

    if (max > changelog->capacity) {
        rd_kafka_message_t **larger = realloc(changelog->messages, max * sizeof(*larger));

        if (!larger) {
            snprintf(changelog->error, sizeof(changelog->error), "no memory");
            return -1;
        }
        changelog->messages = larger;
        changelog->capacity = max;
    }
    got = rd_kafka_consume_batch_queue(changelog->queue, timeout_ms, changelog->messages, max);
    for (ssize_t i = 0; i < got; i++) {
        if (take(changelog, changelog->messages[i], &records[count]))
            count++;
        else
            rd_kafka_message_destroy(changelog->messages[i]);
    }
    if (!changelog->error[0])
        return count;
    while (count > 0)
        acd_record_release(&records[--count]);
    return -1;
}

bool acd_changelog_done(const struct acd_changelog *changelog)
{
    for (int32_t i = 0; i < changelog->count; i++)
        if (changelog->places[i].next < changelog->places[i].end)
            return false;
    return true;
}

void acd_changelog_progress(const struct acd_changelog *changelog, int64_t *read, int64_t *total)
{
    *read = 0;
    *total = 0;
    for (int32_t i = 0; i < changelog->count; i++) {
        const struct place *place = &changelog->places[i];

        *read += (place->next < place->end ? place->next : place->end) - place->first;
        *total += place->end - place->first;
    }
}

const char *acd_changelog_error(const struct acd_changelog *changelog)
{
    return changelog->error;
}
