/* Metadata, watermarks, and a queue that all partitions feed. */
#include "stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct acd_ctl_stream {
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int64_t *ends; /* by partition */
    int partitions;
    int started; /* partitions that are fetched */
};

/* How many partitions the topic has. */
static rd_kafka_resp_err_t look_up(rd_kafka_t *client, rd_kafka_topic_t *topic, int64_t deadline_ms,
                                   int *count)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, acd_ctl_left_ms(deadline_ms));

    if (error)
        return error;
    error = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *count = error ? 0 : metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return error;
}

rd_kafka_resp_err_t acd_ctl_stream_check(rd_kafka_t *client, const char *topic, int64_t deadline_ms)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t error;
    int count;

    if (!handle)
        return rd_kafka_last_error();
    error = look_up(client, handle, deadline_ms, &count);
    rd_kafka_topic_destroy(handle);
    return error;
}

rd_kafka_resp_err_t acd_ctl_stream_open(struct acd_ctl_stream **out, rd_kafka_t *consumer, const char *topic,
                                        int64_t deadline_ms)
{
    struct acd_ctl_stream *stream = calloc(1, sizeof(*stream));
    rd_kafka_resp_err_t error;

    *out = stream;
    if (!stream)
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    stream->queue = rd_kafka_queue_new(consumer);
    stream->topic = rd_kafka_topic_new(consumer, topic, NULL);
    if (!stream->topic)
        return rd_kafka_last_error();
    error = look_up(consumer, stream->topic, deadline_ms, &stream->partitions);
    if (error)
        return error;
    stream->ends = calloc((size_t)stream->partitions, sizeof(*stream->ends));
    if (!stream->ends)
        return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
    for (int i = 0; i < stream->partitions && !error; i++) {
        int64_t first;

        error = rd_kafka_query_watermark_offsets(consumer, topic, i, &first, &stream->ends[i],
                                                 acd_ctl_left_ms(deadline_ms));
    }
    return error;
}

rd_kafka_message_t *acd_ctl_stream_next(struct acd_ctl_stream *stream, int timeout_ms)
{
    while (stream->started < stream->partitions) {
        int i = stream->started++;

        (void)rd_kafka_consume_start_queue(stream->topic, i, stream->ends[i], stream->queue);
    }
    return rd_kafka_consume_queue(stream->queue, timeout_ms);
}
