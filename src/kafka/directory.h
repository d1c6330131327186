/* directory.h: the directory of topics from inside, for the files that look into it and that add to it.
 * Whoever calls holds the lock.
 */
#ifndef ACCOUNTD_KAFKA_DIRECTORY_H
#define ACCOUNTD_KAFKA_DIRECTORY_H

#include <pthread.h>

#include "accountd/topics.h"
#include "client.h"

#define ACD_DIRECTORY_TIMEOUT_MS 10000

struct acd_topics {
    pthread_mutex_t lock;
    rd_kafka_t *rk;
    const struct acd_settings *settings;
    const struct rd_kafka_metadata *picture; /* of the whole cluster, or NULL */
    int64_t taken_ms;                        /* when it was tried last */
    char trouble[256];                       /* what librdkafka said last of a broker, since an answer */
    bool refused;                            /* … which was a refused login or certificate */
    bool spoken;                             /* … or another answer of somebody that listens there */
    int64_t trouble_ms;                      /* … and when */
    bool all_down;                           /* no broker can be reached */
};

/* Takes a new picture. */
rd_kafka_resp_err_t acd_directory_take(struct acd_topics *topics);

/* Says why none could be taken. */
void acd_directory_blame(const struct acd_topics *topics, rd_kafka_resp_err_t failure,
                         struct acd_findings *findings);

/* Partitions of a topic in the picture; 0 when it does not exist. */
int32_t acd_directory_partitions(const struct acd_topics *topics, struct acd_slice name);

#endif
