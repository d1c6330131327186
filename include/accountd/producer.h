/* producer.h: publishes a batch: replies, changelog records and offsets in one Kafka transaction.
 *
 * A producer belongs to one thread and one transactional id; opening a second one with the same id fences
 * the first and ends its open transaction.
 */
#ifndef ACCOUNTD_PRODUCER_H
#define ACCOUNTD_PRODUCER_H

#include "accountd/consumer.h"
#include "accountd/outgoing.h"
#include "accountd/settings.h"

/* Bytes of one message, key and headers included, that the producer takes; a broker's and a topic's own
 * default limit is a little more (1,048,588). */
#define ACD_MESSAGE_MAX 1000000

struct acd_producer;

enum acd_publish {
    ACD_PUBLISHED,
    ACD_PUBLISH_AGAIN,  /* aborted: publish the same once more */
    ACD_PUBLISH_FENCED, /* the group has moved on: drop everything and poll */
    ACD_PUBLISH_LOST, /* the outcome is unknown or the producer is dead: open a new one, look what is there */
};

/* As acd_consumer_check. */
int acd_producer_check(const struct acd_settings *settings, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* Makes the producer and waits for the coordinator to end what an earlier one left open. Returns NULL with
 * the reason in `error`; to be tried again. */
struct acd_producer *acd_producer_open(const struct acd_settings *settings, const char *transactional_id,
                                       char *error, size_t error_bytes);

/* NULL is accepted. */
void acd_producer_close(struct acd_producer *producer);

/* One transaction. Offsets go first, so that a worker that was fenced sends no reply at all. On any outcome
 * but ACD_PUBLISHED, acd_producer_error tells why. */
enum acd_publish acd_producer_publish(struct acd_producer *producer, const struct acd_group *group,
                                      const struct acd_offset *offsets, uint32_t offset_count,
                                      const struct acd_outgoing *messages, uint32_t message_count)
    __attribute__((warn_unused_result));

/* The topic that refused a message of the last transaction, or "". */
const char *acd_producer_blamed(const struct acd_producer *producer);

const char *acd_producer_error(const struct acd_producer *producer);

/* The end of a changelog partition as the last delivery showed it, or 0 when nothing was delivered yet. */
int64_t acd_producer_changelog_end(const struct acd_producer *producer, int32_t partition);

#endif
