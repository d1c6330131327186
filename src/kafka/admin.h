/* admin.h: one request to the cluster about its topics or groups, and its answer.
 *
 *     struct acd_admin admin = acd_admin_begin(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
 *
 *     rd_kafka_CreateTopics(rk, &topic, 1, admin.options, admin.queue);
 *     if (acd_admin_wait(&admin, error, sizeof(error)))
 *         … rd_kafka_event_CreateTopics_result(admin.event) …
 *     acd_admin_end(&admin);
 */
#ifndef ACCOUNTD_KAFKA_ADMIN_H
#define ACCOUNTD_KAFKA_ADMIN_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

struct acd_admin {
    rd_kafka_AdminOptions_t *options; /* with a timeout */
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event; /* the answer; what is read from it is its own */
};

struct acd_admin acd_admin_begin(rd_kafka_t *rk, rd_kafka_admin_op_t op);

/* True with an answer to the request as a whole. False with the reason in `error`, which holds "" else. */
bool acd_admin_wait(struct acd_admin *admin, char *error, size_t error_bytes);

void acd_admin_end(struct acd_admin *admin);

#endif
