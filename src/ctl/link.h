/* link.h: why Kafka cannot be used, for commands that read topics themselves.
 *
 * Errors: functions write what went wrong to stderr and return how accountctl is to end.
 */
#ifndef ACCOUNTD_CTL_LINK_H
#define ACCOUNTD_CTL_LINK_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "accountd/settings.h"
#include "args.h"
#include "kafka.h"

struct acd_ctl_link {
    const struct acd_settings *settings;
    const struct acd_ctl_args *args;
    char trouble[512]; /* librdkafka's last complaint */
};

/* Where a message was written: what the opaque pointer of one that is sent may point to. */
struct acd_ctl_delivery {
    int32_t partition;
    int64_t offset; /* -1 until it is known */
};

/* The link's clients, which note their troubles in it: it must not move. NULL after the reason was written.
 */
rd_kafka_t *acd_ctl_link_reader(struct acd_ctl_link *link, enum acd_ctl_reading reading);
rd_kafka_t *acd_ctl_link_transactional(struct acd_ctl_link *link, const char *id);

/* Whether a step of a transaction failed because another producer has begun with the same id. */
bool acd_ctl_link_fenced(rd_kafka_t *producer, const rd_kafka_error_t *error);

/* Says that a topic cannot be used, and why as far as that is known. */
enum acd_ctl_exit acd_ctl_link_failed(struct acd_ctl_link *link, rd_kafka_t *client, const char *topic,
                                      rd_kafka_resp_err_t error);

#endif
