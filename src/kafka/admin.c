/* Requests to the cluster. */
#include "admin.h"

#include <stdio.h>

#include "directory.h"

struct acd_admin acd_admin_begin(rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
    struct acd_admin admin = {rd_kafka_AdminOptions_new(rk, op), rd_kafka_queue_new(rk), NULL};

    rd_kafka_AdminOptions_set_request_timeout(admin.options, ACD_DIRECTORY_TIMEOUT_MS, NULL, 0);
    return admin;
}

bool acd_admin_wait(struct acd_admin *admin, char *error, size_t error_bytes)
{
    admin->event = rd_kafka_queue_poll(admin->queue, ACD_DIRECTORY_TIMEOUT_MS);
    snprintf(error, error_bytes, "%s",
             !admin->event                        ? "no answer"
             : rd_kafka_event_error(admin->event) ? rd_kafka_event_error_string(admin->event)
                                                  : "");
    return admin->event && !rd_kafka_event_error(admin->event);
}

void acd_admin_end(struct acd_admin *admin)
{
    if (admin->event)
        rd_kafka_event_destroy(admin->event);
    rd_kafka_queue_destroy(admin->queue);
    rd_kafka_AdminOptions_destroy(admin->options);
}
