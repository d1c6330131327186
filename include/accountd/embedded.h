/* embedded.h: a Kafka cluster inside this process, for `accountd --embedded`.
 *
 * It is librdkafka's mock cluster: any Kafka client can produce to it and consume from it, but it keeps only
 * the last 5 MB of a partition, in memory, and knows no transactions: what is published shows at once, also
 * when it is aborted, and offsets of transactions are forgotten (a consumer's own commit is not). It is for
 * trying accountd out and for developing against it.
 */
#ifndef ACCOUNTD_EMBEDDED_H
#define ACCOUNTD_EMBEDDED_H

#include <stddef.h>

#include "accountd/settings.h"

/* Partitions of each topic. */
#define ACD_EMBEDDED_PARTITIONS 4

struct acd_embedded;

/* Starts one broker on a free port of 127.0.0.1 and makes the settings' own topics; takes about a second.
 * Returns NULL with the reason in `error`. */
struct acd_embedded *acd_embedded_start(const struct acd_settings *settings, char *error, size_t error_bytes);

/* ADDRESS:PORT; valid until the stop. */
const char *acd_embedded_brokers(const struct acd_embedded *kafka);

/* To be called when all clients are closed, or they will try to reconnect; NULL is accepted. */
void acd_embedded_stop(struct acd_embedded *kafka);

#endif
