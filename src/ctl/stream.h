/* stream.h: all partitions of one topic, read as one stream from where they ended.
 *
 * librdkafka's simple consumer: no group is joined, no offset is committed, nothing is left on the brokers.
 */
#ifndef ACCOUNTD_CTL_STREAM_H
#define ACCOUNTD_CTL_STREAM_H

#include <librdkafka/rdkafka.h>

#include "accountd/clock.h"

/* What is left until a point of acd_clock_ms; 0 once it has passed. */
static inline int acd_ctl_left_ms(int64_t deadline_ms)
{
    int64_t left = deadline_ms - acd_clock_ms();

    return left > 0 ? (int)left : 0;
}

struct acd_ctl_stream;

/* Returns 0 when the topic exists, or the error of what did not work. */
rd_kafka_resp_err_t acd_ctl_stream_check(rd_kafka_t *client, const char *topic, int64_t deadline_ms)
    __attribute__((warn_unused_result));

/* Looks the topic up and notes where its partitions end. Returns 0, or the error of what did not work; the
 * stream lasts as long as the program. */
rd_kafka_resp_err_t acd_ctl_stream_open(struct acd_ctl_stream **out, rd_kafka_t *consumer, const char *topic,
                                        int64_t deadline_ms) __attribute__((warn_unused_result));

/* The next message or error, or NULL when none came in time; the caller destroys it. The first call begins to
 * fetch. */
rd_kafka_message_t *acd_ctl_stream_next(struct acd_ctl_stream *stream, int timeout_ms);

#endif
