/* Metadata, offsets for times, and librdkafka's simple consumer. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

/* Topics of one live reader: the default reply topic, and those that commands name. */
#define TOPICS_MAX 32

struct acd_ctl_live {
    rd_kafka_t *consumer;
    rd_kafka_queue_t *queue; /* that all partitions feed */
    struct {
        rd_kafka_topic_t *handle;
        int32_t partitions; /* that are read */
    } topics[TOPICS_MAX];
    int count;
};

static rd_kafka_resp_err_t count_partitions(rd_kafka_t *consumer, rd_kafka_topic_t *topic,
                                            int64_t deadline_ms, int32_t *count)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error =
        rd_kafka_metadata(consumer, 0, topic, &metadata, acd_ctl_left_ms(deadline_ms));

    if (error)
        return error;
    error = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *count = error ? 0 : metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return error;
}

/* One question for all partitions. An offset of -1 says that no record is as young as that. */
static rd_kafka_resp_err_t ask_offsets(rd_kafka_t *consumer, const char *topic, int32_t count,
                                       int64_t from_ms, int64_t deadline_ms, int64_t *out)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    rd_kafka_resp_err_t error;

    for (int32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = from_ms;
    error = rd_kafka_offsets_for_times(consumer, list, acd_ctl_left_ms(deadline_ms));
    for (int32_t i = 0; i < count && !error; i++) {
        error = list->elems[i].err;
        out[i] = list->elems[i].offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

static rd_kafka_resp_err_t ask_spans(rd_kafka_t *consumer, const char *topic, int64_t from_ms,
                                     int64_t deadline_ms, struct acd_ctl_span *spans, int32_t count)
{
    int64_t *offsets = calloc((size_t)count, sizeof(*offsets));
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;

    if (offsets)
        error = ask_offsets(consumer, topic, count, from_ms, deadline_ms, offsets);
    for (int32_t i = 0; i < count && !error; i++)
        spans[i].first = offsets[i];
    if (!error)
        error = ask_offsets(consumer, topic, count, ACD_CTL_FROM_END, deadline_ms, offsets);
    for (int32_t i = 0; i < count && !error; i++) {
        spans[i].end = offsets[i];
        /* A record may have come between the two questions. */
        if (spans[i].first < 0 || spans[i].first > spans[i].end)
            spans[i].first = spans[i].end;
    }
    free(offsets);
    return error;
}

rd_kafka_resp_err_t acd_ctl_spans(rd_kafka_t *consumer, const char *topic, int64_t from_ms,
                                  int64_t deadline_ms, struct acd_ctl_span **out, int32_t *count)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(consumer, topic, NULL);
    rd_kafka_resp_err_t error;

    *out = NULL;
    if (!handle)
        return rd_kafka_last_error();
    error = count_partitions(consumer, handle, deadline_ms, count);
    if (!error)
        *out = calloc((size_t)*count, sizeof(**out));
    if (!error && !*out)
        error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    if (!error)
        error = ask_spans(consumer, topic, from_ms, deadline_ms, *out, *count);
    rd_kafka_topic_destroy(handle);
    return error;
}

/* A scan's next step. The end may be behind the last record: of transactions, too, the log keeps marks. */
static rd_kafka_resp_err_t take(const rd_kafka_message_t *message, struct acd_ctl_span *left,
                                acd_ctl_visit *visit, void *context)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        left->first = message->offset;
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    if (message->err)
        return message->err;
    left->first = message->offset + 1;
    if (message->offset < left->end && !visit(context, message))
        left->first = left->end;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t acd_ctl_scan(rd_kafka_t *consumer, const char *topic, int32_t partition,
                                 struct acd_ctl_span span, int patience_ms, acd_ctl_visit *visit,
                                 void *context)
{
    rd_kafka_topic_t *handle;
    rd_kafka_queue_t *queue;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t deadline_ms = acd_clock_ms() + patience_ms;

    if (span.first >= span.end)
        return error;
    handle = rd_kafka_topic_new(consumer, topic, NULL);
    if (!handle)
        return rd_kafka_last_error();
    queue = rd_kafka_queue_new(consumer);
    if (rd_kafka_consume_start_queue(handle, partition, span.first, queue))
        error = rd_kafka_last_error();
    while (!error && span.first < span.end) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(queue, acd_ctl_left_ms(deadline_ms));

        if (!message) {
            error = RD_KAFKA_RESP_ERR__TIMED_OUT;
            break;
        }
        /* An end before the span's is that of an open transaction, and no progress. */
        if (message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            deadline_ms = acd_clock_ms() + patience_ms;
        error = take(message, &span, visit, context);
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consume_stop(handle, partition);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_destroy(handle);
    return error;
}

struct acd_ctl_live *acd_ctl_live_open(rd_kafka_t *consumer)
{
    struct acd_ctl_live *live = calloc(1, sizeof(*live));

    if (!live)
        return NULL;
    live->consumer = consumer;
    live->queue = rd_kafka_queue_new(consumer);
    return live;
}

void acd_ctl_live_close(struct acd_ctl_live *live)
{
    if (!live)
        return;
    for (int i = 0; i < live->count; i++) {
        for (int32_t k = 0; k < live->topics[i].partitions; k++)
            (void)rd_kafka_consume_stop(live->topics[i].handle, k);
        rd_kafka_topic_destroy(live->topics[i].handle);
    }
    rd_kafka_queue_destroy(live->queue);
    free(live);
}

static bool is_read(const struct acd_ctl_live *live, const char *topic)
{
    for (int i = 0; i < live->count; i++)
        if (strcmp(rd_kafka_topic_name(live->topics[i].handle), topic) == 0)
            return true;
    return false;
}

rd_kafka_resp_err_t acd_ctl_live_add(struct acd_ctl_live *live, const char *topic, int64_t from_ms,
                                     int64_t deadline_ms)
{
    struct acd_ctl_span *spans = NULL;
    rd_kafka_topic_t *handle;
    rd_kafka_resp_err_t error;
    int32_t count;

    if (is_read(live, topic))
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (live->count == TOPICS_MAX)
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    error = acd_ctl_spans(live->consumer, topic, from_ms, deadline_ms, &spans, &count);
    handle = error ? NULL : rd_kafka_topic_new(live->consumer, topic, NULL);
    if (!error && !handle)
        error = rd_kafka_last_error();
    for (int32_t i = 0; i < count && !error; i++)
        if (rd_kafka_consume_start_queue(handle, i, spans[i].first, live->queue))
            error = rd_kafka_last_error();
    free(spans);
    if (error)
        return error;
    live->topics[live->count].handle = handle;
    live->topics[live->count++].partitions = count;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t acd_ctl_live_grow(struct acd_ctl_live *live, int64_t deadline_ms)
{
    for (int i = 0; i < live->count; i++) {
        rd_kafka_topic_t *handle = live->topics[i].handle;
        int32_t count;
        rd_kafka_resp_err_t error = count_partitions(live->consumer, handle, deadline_ms, &count);

        for (; !error && live->topics[i].partitions < count; live->topics[i].partitions++)
            if (rd_kafka_consume_start_queue(handle, live->topics[i].partitions, RD_KAFKA_OFFSET_BEGINNING,
                                             live->queue))
                error = rd_kafka_last_error();
        if (error)
            return error;
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_message_t *acd_ctl_live_next(struct acd_ctl_live *live, int timeout_ms)
{
    int64_t deadline_ms = acd_clock_ms() + timeout_ms;
    rd_kafka_message_t *message;

    for (;;) {
        message = rd_kafka_consume_queue(live->queue, acd_ctl_left_ms(deadline_ms));
        if (!message || message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return message;
        rd_kafka_message_destroy(message);
    }
}
