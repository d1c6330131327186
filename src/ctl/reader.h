/* reader.h: topics, read without a consumer group: nothing is committed, nothing is left on the brokers.
 *
 * A scan reads one partition from one offset to another, in order. A live reader takes what comes to several
 * topics, as one stream. Consumers are those of acd_ctl_kafka_reader; one that has committed records only
 * never gives any other.
 */
#ifndef ACCOUNTD_CTL_READER_H
#define ACCOUNTD_CTL_READER_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "exit.h"

/* Where to begin, where no time is meant: what the protocol has in place of one. */
#define ACD_CTL_FROM_END       (-1)
#define ACD_CTL_FROM_BEGINNING (-2)

/* From the first record that counts to behind the last. */
struct acd_ctl_span {
    int64_t first;
    int64_t end;
};

/* Gives a span for each partition of the topic, from the first record that is not before `from_ms` (ms since
 * 1970, or one of the above) to the end as `consumer` knows it. The caller frees `*out`. */
rd_kafka_resp_err_t acd_ctl_spans(rd_kafka_t *consumer, const char *topic, int64_t from_ms,
                                  int64_t deadline_ms, struct acd_ctl_span **out, int32_t *count)
    __attribute__((warn_unused_result));

/* Called for each record; false ends the scan. The message is the caller's of the scan, and gone afterwards.
 */
typedef bool acd_ctl_visit(void *context, const rd_kafka_message_t *message);

/* Reads a span of a partition. Returns 0 also when `visit` has ended it, or the error of what did not work; a
 * scan that gets nothing for patience_ms fails with RD_KAFKA_RESP_ERR__TIMED_OUT. */
rd_kafka_resp_err_t acd_ctl_scan(rd_kafka_t *consumer, const char *topic, int32_t partition,
                                 struct acd_ctl_span span, int patience_ms, acd_ctl_visit *visit,
                                 void *context) __attribute__((warn_unused_result));

struct acd_ctl_live;

/* NULL without memory. */
struct acd_ctl_live *acd_ctl_live_open(rd_kafka_t *consumer);

/* NULL is accepted. */
void acd_ctl_live_close(struct acd_ctl_live *live);

/* Begins to read all partitions of a topic from `from_ms`. One that is being read already stays as it is. */
rd_kafka_resp_err_t acd_ctl_live_add(struct acd_ctl_live *live, const char *topic, int64_t from_ms,
                                     int64_t deadline_ms) __attribute__((warn_unused_result));

/* Looks for new partitions of the topics, and reads them from their beginning. */
rd_kafka_resp_err_t acd_ctl_live_grow(struct acd_ctl_live *live, int64_t deadline_ms)
    __attribute__((warn_unused_result));

/* The next message or error, or NULL when none came in time; the caller destroys it. */
rd_kafka_message_t *acd_ctl_live_next(struct acd_ctl_live *live, int timeout_ms);

#endif
