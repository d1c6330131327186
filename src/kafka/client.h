/* client.h: what consumer, producer and topics share: librdkafka's configuration and its log. */
#ifndef ACCOUNTD_KAFKA_CLIENT_H
#define ACCOUNTD_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "accountd/consumer.h"
#include "accountd/outgoing.h"
#include "accountd/settings.h"

struct acd_group {
    rd_kafka_consumer_group_metadata_t *metadata;
};

/* A role's default, which the operator's properties may override. */
struct acd_kafka_default {
    const char *name; /* NULL ends a list */
    const char *value;
};

/* A configuration with the role's defaults, the operator's properties over them, the brokers and the log
 * callback; properties that the role does not know (a consumer's for a producer) are librdkafka's to ignore.
 * Never NULL: properties were checked when the settings were read. */
rd_kafka_conf_t *acd_kafka_conf(const struct acd_settings *settings,
                                const struct acd_kafka_default *defaults);

/* Of a worker's consumer, but for its callbacks. */
rd_kafka_conf_t *acd_kafka_consumer_conf(const struct acd_settings *settings);

/* Whether librdkafka makes a client of the configuration, which is used up. Returns 0, or -1 with the reason
 * in `error`. */
int acd_kafka_check(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t error_bytes);

/* Sets what accountd owns; a name or value that librdkafka refuses is a bug. */
void acd_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value);

/* A producer's handle of a topic, to be destroyed; NULL where there can be none of that name. The topic is
 * asked for at once: left alone, librdkafka asks when its timer comes round, and the first message waits a
 * second. `compression`: of its messages; NULL: the client's own. */
rd_kafka_topic_t *acd_kafka_topic(rd_kafka_t *rk, struct acd_slice name, const char *compression,
                                  int timeout_ms);

/* The headers of a message; librdkafka owns them once the message is taken. */
rd_kafka_headers_t *acd_kafka_headers(const struct acd_outgoing *message);

#endif
