/* The last trouble is what tells most. */
#include "link.h"

#include <stdio.h>

#include "terminal.h"

static void note_trouble(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct acd_ctl_link *link = opaque;

    /* That all brokers are down says less than why, which came before. */
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !link->trouble[0])
        (void)snprintf(link->trouble, sizeof(link->trouble), "%s", reason);
}

/* Where a producer's messages end up. A transaction fails with any of them, so errors need not be noted. */
static void note_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct acd_ctl_delivery *delivery = message->_private;

    if (!delivery || message->err)
        return;
    delivery->partition = message->partition;
    delivery->offset = message->offset;
}

rd_kafka_t *acd_ctl_link_reader(struct acd_ctl_link *link, enum acd_ctl_reading reading)
{
    const struct acd_ctl_kafka kafka = {link->settings, link->args, link, note_trouble, NULL};

    return acd_ctl_kafka_reader(&kafka, reading);
}

rd_kafka_t *acd_ctl_link_transactional(struct acd_ctl_link *link, const char *id)
{
    const struct acd_ctl_kafka kafka = {link->settings, link->args, link, note_trouble, note_delivery};

    return acd_ctl_kafka_transactional(&kafka, id);
}

bool acd_ctl_link_fenced(rd_kafka_t *producer, const rd_kafka_error_t *error)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);

    /* Between two transactions it is found out behind the program's back; the next step is told only that
     * nothing can go on. */
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(producer, NULL, 0);
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH ||
           code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED;
}

enum acd_ctl_exit acd_ctl_link_failed(struct acd_ctl_link *link, rd_kafka_t *client, const char *topic,
                                      rd_kafka_resp_err_t error)
{
    const char *why = rd_kafka_err2str(error);

    /* Errors of librdkafka's own are below 0 and say that nothing was heard; the last trouble may tell more.
     */
    (void)rd_kafka_poll(client, 0);
    if (error < 0 && link->trouble[0])
        why = link->trouble;
    acd_ctl_error("cannot use topic %s at %s: %s", topic, link->settings->kafka.brokers, why);
    return ACD_CTL_UNREACHABLE;
}
