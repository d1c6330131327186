/* One consumer, one producer. */
#include "client.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "kafka.h"
#include "sign.h"
#include "stream.h"
#include "terminal.h"

#define ERROR_BYTES 512

/* How long purging and closing may take; by then all that matters is done. */
#define CLOSE_MS 1000

struct acd_ctl_client {
    const struct acd_settings *settings;
    int timeout_ms;
    const char *key; /* ID=FILE, or NULL */
    rd_kafka_t *consumer;
    rd_kafka_t *producer;
    struct acd_ctl_stream *replies;
    struct acd_ctl_stream *exports; /* NULL: not asked for */
    char trouble[ERROR_BYTES];      /* librdkafka's last complaint, which tells why nothing comes */
};

/* What became of a posted message. */
struct delivery {
    bool done;
    rd_kafka_resp_err_t error;
    int32_t partition;
    int64_t offset;
};

static void note_trouble(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct acd_ctl_client *client = opaque;

    /* That all brokers are down says less than why, which came before. */
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !client->trouble[0])
        (void)snprintf(client->trouble, sizeof(client->trouble), "%s", reason);
}

static void note_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct delivery *delivery = message->_private;

    *delivery = (struct delivery){true, message->err, message->partition, message->offset};
}

/* Says that the brokers cannot be used for a topic, and why as far as that is known. */
static enum acd_ctl_exit unreachable(struct acd_ctl_client *client, const char *topic,
                                     rd_kafka_resp_err_t error)
{
    const char *why = rd_kafka_err2str(error);

    /* Errors of librdkafka's own are below 0 and say that nothing was heard; the last trouble may tell more.
     */
    (void)rd_kafka_poll(client->consumer, 0);
    (void)rd_kafka_poll(client->producer, 0);
    if (error < 0 && client->trouble[0])
        why = client->trouble;
    acd_ctl_error("cannot use topic %s at %s: %s", topic, client->settings->kafka.brokers, why);
    return ACD_CTL_UNREACHABLE;
}

static enum acd_ctl_exit open_topics(struct acd_ctl_client *client, bool exports)
{
    int64_t deadline_ms = acd_clock_ms() + client->timeout_ms;
    const char *topic = client->settings->kafka.commands;
    /* Asked by the consumer, which makes no topics: a command to one that is not there would wait in vain. */
    rd_kafka_resp_err_t error = acd_ctl_stream_check(client->consumer, topic, deadline_ms);

    /* A producer that meets a new topic looks it up only after up to a second: it does so now. */
    if (!error)
        error = acd_ctl_stream_check(client->producer, topic, deadline_ms);
    if (!error) {
        topic = client->settings->kafka.replies;
        error = acd_ctl_stream_open(&client->replies, client->consumer, topic, deadline_ms);
    }
    if (!error && exports) {
        topic = client->settings->kafka.exports;
        error = acd_ctl_stream_open(&client->exports, client->consumer, topic, deadline_ms);
    }
    return error ? unreachable(client, topic, error) : ACD_CTL_OK;
}

enum acd_ctl_exit acd_ctl_client_open(struct acd_ctl_client **out, const struct acd_settings *settings,
                                      const struct acd_ctl_args *args, bool exports)
{
    struct acd_ctl_client *client = calloc(1, sizeof(*client));
    struct acd_ctl_kafka kafka = {settings, args, client, note_trouble, note_delivery};

    *out = client;
    if (!client)
        return ACD_CTL_FAILED;
    client->settings = settings;
    client->timeout_ms = args->timeout_ms;
    client->key = args->key;
    client->consumer = acd_ctl_kafka_consumer(&kafka);
    client->producer = client->consumer ? acd_ctl_kafka_producer(&kafka) : NULL;
    if (!client->producer)
        return ACD_CTL_USAGE;
    return open_topics(client, exports);
}

void acd_ctl_client_close(struct acd_ctl_client *client)
{
    if (!client)
        return;
    if (client->producer) {
        (void)rd_kafka_purge(client->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(client->producer, CLOSE_MS);
    }
    /* librdkafka's clients are not destroyed, since it may sleep for a second in that, and the program ends
     * now anyway. Until then what they were given is theirs. */
    if (!client->consumer)
        free(client);
}

struct acd_slice acd_ctl_header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;

    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get_last(headers, name, &value, &len))
        return acd_slice(NULL, 0);
    return acd_slice(value, len);
}

/* The command's headers; with --key signed. Destroy `*out` unless librdkafka took it. */
static enum acd_ctl_exit make_headers(const struct acd_ctl_client *client, struct acd_slice key,
                                      struct acd_slice command, struct acd_slice correlation,
                                      rd_kafka_headers_t **out)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(5);

    *out = headers;
    (void)rd_kafka_header_add(headers, "kafka_correlationId", -1, correlation.data, (ssize_t)correlation.len);
    (void)rd_kafka_header_add(headers, "content-type", -1, "application/json", -1);
    if (!client->key)
        return ACD_CTL_OK;
    return acd_ctl_sign(client->key, client->settings->kafka.commands, key, command, headers);
}

enum acd_ctl_exit acd_ctl_client_post(struct acd_ctl_client *client, struct acd_slice key,
                                      struct acd_slice command, struct acd_ctl_posted *out)
{
    const char *topic = client->settings->kafka.commands;
    int64_t deadline_ms = acd_clock_ms() + client->timeout_ms;
    struct delivery delivery = {0};
    rd_kafka_headers_t *headers;
    rd_kafka_resp_err_t error;
    enum acd_ctl_exit made;

    if (getrandom(out->correlation, sizeof(out->correlation), 0) != (ssize_t)sizeof(out->correlation)) {
        acd_ctl_error("the system has no random bytes");
        return ACD_CTL_FAILED;
    }
    made =
        make_headers(client, key, command, acd_slice(out->correlation, sizeof(out->correlation)), &headers);
    if (made != ACD_CTL_OK) {
        rd_kafka_headers_destroy(headers);
        return made;
    }
    error = rd_kafka_producev(client->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key.data, key.len),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)command.data, command.len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_OPAQUE(&delivery), RD_KAFKA_V_END);
    if (error)
        rd_kafka_headers_destroy(headers);
    while (!error && !delivery.done && acd_ctl_left_ms(deadline_ms))
        (void)rd_kafka_poll(client->producer, acd_ctl_left_ms(deadline_ms));
    if (!error && !delivery.done) {
        /* The report must not arrive when `delivery` is gone. */
        (void)rd_kafka_purge(client->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(client->producer, -1);
        delivery.error = RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
    }
    error = error ? error : delivery.error;
    out->partition = delivery.partition;
    out->offset = delivery.offset;
    if (!error)
        return ACD_CTL_OK;
    if (error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        return unreachable(client, topic, error);
    acd_ctl_error("the command cannot be posted to topic %s: %s", topic, rd_kafka_err2str(error));
    return ACD_CTL_FAILED;
}

rd_kafka_message_t *acd_ctl_client_reply(struct acd_ctl_client *client, const struct acd_ctl_posted *posted,
                                         int timeout_ms)
{
    struct acd_slice correlation = acd_slice(posted->correlation, sizeof(posted->correlation));
    int64_t deadline_ms = acd_clock_ms() + timeout_ms;
    rd_kafka_message_t *message;

    do {
        message = acd_ctl_stream_next(client->replies, acd_ctl_left_ms(deadline_ms));
        if (message && !message->err &&
            acd_slice_equal(acd_ctl_header(message, "kafka_correlationId"), correlation))
            return message;
        if (message && message->err)
            (void)snprintf(client->trouble, sizeof(client->trouble), "%s", rd_kafka_message_errstr(message));
        if (message)
            rd_kafka_message_destroy(message);
    } while (acd_ctl_left_ms(deadline_ms));
    return NULL;
}

enum acd_ctl_exit acd_ctl_client_call(struct acd_ctl_client *client, struct acd_slice key,
                                      struct acd_slice command, rd_kafka_message_t **reply)
{
    int64_t deadline_ms = acd_clock_ms() + client->timeout_ms;
    struct acd_ctl_posted posted;
    enum acd_ctl_exit result = acd_ctl_client_post(client, key, command, &posted);

    if (result != ACD_CTL_OK)
        return result;
    *reply = acd_ctl_client_reply(client, &posted, acd_ctl_left_ms(deadline_ms));
    if (*reply)
        return ACD_CTL_OK;
    (void)rd_kafka_poll(client->consumer, 0);
    acd_ctl_error("no reply on topic %s within %g s; the command is posted, and may still be carried out%s%s",
                  client->settings->kafka.replies, client->timeout_ms / 1000.0,
                  client->trouble[0] ? ": " : "", client->trouble);
    return ACD_CTL_TIMEOUT;
}

rd_kafka_message_t *acd_ctl_client_chunk_now(struct acd_ctl_client *client, int timeout_ms)
{
    rd_kafka_message_t *message = acd_ctl_stream_next(client->exports, timeout_ms);

    if (!message || !message->err)
        return message;
    (void)snprintf(client->trouble, sizeof(client->trouble), "%s", rd_kafka_message_errstr(message));
    rd_kafka_message_destroy(message);
    return NULL;
}

enum acd_ctl_exit acd_ctl_client_chunk(struct acd_ctl_client *client, int64_t deadline_ms,
                                       rd_kafka_message_t **chunk)
{
    while (acd_ctl_left_ms(deadline_ms)) {
        *chunk = acd_ctl_client_chunk_now(client, acd_ctl_left_ms(deadline_ms));
        if (*chunk)
            return ACD_CTL_OK;
    }
    acd_ctl_error("the rest of the file did not come on topic %s within %g s",
                  client->settings->kafka.exports, client->timeout_ms / 1000.0);
    return ACD_CTL_TIMEOUT;
}
