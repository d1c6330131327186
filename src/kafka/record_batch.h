/* record_batch.h: how full a transaction's record batches are.
 *
 * A partition's messages go to the broker in batches of limited size. Of an idempotent producer librdkafka
 * sends the second one when the first is answered, and while a flush waits for both, its thread asks without
 * a pause whether it may: half of a processor, for nothing. So whoever sends more than a batch holds waits
 * for the first before adding to the second.
 */
#ifndef ACCOUNTD_KAFKA_RECORD_BATCH_H
#define ACCOUNTD_KAFKA_RECORD_BATCH_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "accountd/outgoing.h"

/* Partitions that are looked at; where there are more, each has few of a transaction's messages. */
#define ACD_RECORD_BATCHES 64

struct acd_record_batch {
    const rd_kafka_topic_t *topic;
    int32_t partition;
    size_t bytes;
    size_t messages;
};

struct acd_record_batches {
    size_t bytes_max; /* of one, as the client is configured */
    size_t messages_max;
    struct acd_record_batch items[ACD_RECORD_BATCHES];
    uint32_t count;
};

void acd_record_batches_init(struct acd_record_batches *batches, rd_kafka_t *rk);

/* Counts the message. False where its batch has no room for it: to be emptied, that is sent and answered,
 * first. */
bool acd_record_batches_add(struct acd_record_batches *batches, const rd_kafka_topic_t *topic,
                            const struct acd_outgoing *message);

/* All that was counted has been answered. */
void acd_record_batches_empty(struct acd_record_batches *batches);

#endif
