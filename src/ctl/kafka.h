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

/* What a reader is for. All but the last see what transactions have committed, and end where one is open. */
enum acd_ctl_reading {
    ACD_CTL_READING_SCAN, /* does not wait at an end */
    ACD_CTL_READING_LIVE, /* waits for what comes */
    ACD_CTL_READING_ENDS  /* knows the end of the log */
};

/* A consumer that also tells where a partition ends, as reader.h wants it. */
rd_kafka_t *acd_ctl_kafka_reader(const struct acd_ctl_kafka *kafka, enum acd_ctl_reading reading);

/* A producer whose transactions are those of `id`; whoever had begun one under it is fenced by the next. */
rd_kafka_t *acd_ctl_kafka_transactional(const struct acd_ctl_kafka *kafka, const char *id);

#endif
