/* kafka.h: librdkafka's clients as accountctl wants them.
 *
 * The properties of the settings and then those of the command line apply to both; what accountctl relies on
 * comes last, so that no property can change it.
 */
#ifndef ACCOUNTD_CTL_KAFKA_H
#define ACCOUNTD_CTL_KAFKA_H

#include <librdkafka/rdkafka.h>

#include "accountd/settings.h"
#include "args.h"

/* What both clients are made from. */
struct acd_ctl_kafka {
    const struct acd_settings *settings;
    const struct acd_ctl_args *args;
    void *opaque; /* for the callbacks */
    void (*trouble)(rd_kafka_t *rk, int error, const char *reason, void *opaque);
    void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);
};

/* Return NULL after writing to stderr which property is wrong. */
rd_kafka_t *acd_ctl_kafka_consumer(const struct acd_ctl_kafka *kafka);
rd_kafka_t *acd_ctl_kafka_producer(const struct acd_ctl_kafka *kafka);

#endif
