/* An idempotent producer: what it sends stands in the log once and in order. */
#include "accountd/sender.h"

#include <stdio.h>
#include <stdlib.h>

#include "client.h"

#define WAIT_MS 100
/* Whoever cancels waits for it. */
#define LOOK_UP_MS 1000

/* Some chunks: enough to keep the broker busy. */
static const struct acd_kafka_default sender_defaults[] = {{"queue.buffering.max.kbytes", "8192"},
                                                           {NULL, NULL}};

struct acd_sender {
    rd_kafka_t *rk;
    rd_kafka_topic_t *topic; /* of the last message; NULL before the first */
    const atomic_bool *cancelled;
    char error[256];
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct acd_sender *sender = opaque;

    if (message->err && !sender->error[0])
        snprintf(sender->error, sizeof(sender->error), "topic %s: %s", rd_kafka_topic_name(message->rkt),
                 rd_kafka_err2str(message->err));
}

struct acd_sender *acd_sender_open(const struct acd_settings *settings, const atomic_bool *cancelled,
                                   char *error, size_t error_bytes)
{
    struct acd_sender *sender = calloc(1, sizeof(*sender));
    rd_kafka_conf_t *conf;

    if (!sender) {
        snprintf(error, error_bytes, "no memory");
        return NULL;
    }
    sender->cancelled = cancelled;
    conf = acd_kafka_conf(settings, sender_defaults);
    acd_kafka_set(conf, "enable.idempotence", "true");
    acd_kafka_set(conf, "allow.auto.create.topics", "false");
    acd_kafka_set(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_opaque(conf, sender);
    sender->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_bytes);
    if (sender->rk)
        return sender;
    rd_kafka_conf_destroy(conf);
    free(sender);
    return NULL;
}

void acd_sender_close(struct acd_sender *sender)
{
    if (!sender)
        return;
    rd_kafka_purge(sender->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    if (sender->topic)
        rd_kafka_topic_destroy(sender->topic);
    rd_kafka_destroy(sender->rk);
    free(sender);
}

static int give_up(struct acd_sender *sender, const char *why)
{
    if (!sender->error[0])
        snprintf(sender->error, sizeof(sender->error), "%s", why);
    return -1;
}

/* An idempotent producer that cannot go on without a gap or a repetition says so once and for all. */
static bool has_failed(struct acd_sender *sender)
{
    char reason[200];

    if (rd_kafka_fatal_error(sender->rk, reason, sizeof(reason)))
        give_up(sender, reason);
    if (atomic_load(sender->cancelled))
        give_up(sender, "given up");
    return sender->error[0] != '\0';
}

/* Sets the sender's topic, which seldom is another than before. */
static bool use_topic(struct acd_sender *sender, struct acd_slice name)
{
    if (sender->topic && acd_slice_is(name, rd_kafka_topic_name(sender->topic)))
        return true;
    if (sender->topic)
        rd_kafka_topic_destroy(sender->topic);
    sender->topic = acd_kafka_topic(sender->rk, name, NULL, LOOK_UP_MS);
    return sender->topic != NULL;
}

static rd_kafka_resp_err_t produce(struct acd_sender *sender, const struct acd_outgoing *message)
{
    rd_kafka_headers_t *headers = acd_kafka_headers(message);
    rd_kafka_resp_err_t failure = rd_kafka_producev(
        sender->rk, RD_KAFKA_V_RKT(sender->topic), RD_KAFKA_V_PARTITION(message->partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(message->key.data, message->key.len),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)message->value.data, message->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);

    if (failure)
        rd_kafka_headers_destroy(headers);
    return failure;
}

int acd_sender_send(struct acd_sender *sender, const struct acd_outgoing *message)
{
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR__QUEUE_FULL;

    if (!use_topic(sender, message->topic))
        return give_up(sender, rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION));
    while (!has_failed(sender) && (failure = produce(sender, message)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(sender->rk, WAIT_MS);
    if (failure && failure != RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return give_up(sender, rd_kafka_err2str(failure));
    rd_kafka_poll(sender->rk, 0);
    return has_failed(sender) ? -1 : 0;
}

int acd_sender_flush(struct acd_sender *sender)
{
    while (!has_failed(sender) && rd_kafka_flush(sender->rk, WAIT_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        ;
    return has_failed(sender) ? -1 : 0;
}

const char *acd_sender_error(const struct acd_sender *sender)
{
    return sender->error;
}
