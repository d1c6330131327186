/* An open loop's two halves: what is due is posted, and what comes is counted. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../client.h"
#include "../kafka.h"
#include "../sign.h"
#include "../terminal.h"

/* How long purging may take at the end. */
#define CLOSE_MS 1000

/* A correlation id: these three, as this machine has them in memory. */
struct ticket {
    char run[8];
    int64_t number;
    int64_t due_us;
};

static void note_trouble(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct acd_ctl_load *load = opaque;

    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || !load->link.trouble[0])
        (void)snprintf(load->link.trouble, sizeof(load->link.trouble), "%s", reason);
}

static void note_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct acd_ctl_load *load = opaque;

    load->undelivered += message->err != 0;
}

enum acd_ctl_exit acd_ctl_load_open(struct acd_ctl_load *out, const struct acd_settings *settings,
                                    const struct acd_ctl_args *args, int64_t capacity)
{
    const struct acd_ctl_kafka kafka = {settings, args, out, note_trouble, note_delivery};
    int64_t deadline_ms = acd_clock_ms() + args->timeout_ms;
    const char *topic = settings->kafka.commands;
    rd_kafka_resp_err_t error;

    *out = (struct acd_ctl_load){.link = {.settings = settings, .args = args}, .capacity = capacity};
    out->answered = calloc((size_t)capacity / 8 + 1, 1);
    if (!out->answered) {
        acd_ctl_error("out of memory");
        return ACD_CTL_FAILED;
    }
    out->consumer = acd_ctl_kafka_consumer(&kafka);
    out->producer = out->consumer ? acd_ctl_kafka_producer(&kafka) : NULL;
    if (!out->producer)
        return ACD_CTL_USAGE;
    error = acd_ctl_stream_check(out->producer, topic, deadline_ms);
    if (!error) {
        topic = settings->kafka.replies;
        error = acd_ctl_stream_open(&out->replies, out->consumer, topic, deadline_ms);
    }
    return error ? acd_ctl_link_failed(&out->link, out->consumer, topic, error) : ACD_CTL_OK;
}

void acd_ctl_load_free(struct acd_ctl_load *load)
{
    /* The clients last until the program ends; what is still to be sent is not sent any more. */
    if (load->producer) {
        (void)rd_kafka_purge(load->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        (void)rd_kafka_flush(load->producer, CLOSE_MS);
    }
    free(load->answered);
    load->answered = NULL;
}

enum acd_ctl_exit acd_ctl_load_begin(struct acd_ctl_load *load)
{
    load->posted = load->replied = load->duplicates = load->undelivered = 0;
    load->code_count = 0;
    load->latency = (struct acd_ctl_latency){0};
    load->lately = (struct acd_ctl_latency){0};
    memset(load->answered, 0, (size_t)load->capacity / 8 + 1);
    if (getrandom(load->run, sizeof(load->run), 0) == (ssize_t)sizeof(load->run))
        return ACD_CTL_OK;
    acd_ctl_error("the system has no random bytes");
    return ACD_CTL_FAILED;
}

static enum acd_ctl_exit send_text(struct acd_ctl_load *load, struct acd_slice key, struct acd_slice value,
                                   const struct ticket *ticket)
{
    const char *topic = load->link.settings->kafka.commands;
    enum acd_ctl_exit result = ACD_CTL_OK;
    rd_kafka_resp_err_t error;

    do {
        rd_kafka_headers_t *headers = rd_kafka_headers_new(5);

        (void)rd_kafka_header_add(headers, "kafka_correlationId", -1, ticket, sizeof(*ticket));
        (void)rd_kafka_header_add(headers, "content-type", -1, "application/json", -1);
        if (load->link.args->key)
            result = acd_ctl_sign(load->link.args->key, topic, key, value, headers);
        error = RD_KAFKA_RESP_ERR_NO_ERROR;
        if (result == ACD_CTL_OK)
            error = rd_kafka_producev(
                load->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_KEY(key.data, key.len),
                RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (error || result != ACD_CTL_OK)
            rd_kafka_headers_destroy(headers);
        /* A full queue makes the load late, which its latencies then show. */
        (void)rd_kafka_poll(load->producer, error == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 10 : 0);
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (!error)
        return result;
    acd_ctl_error("a command cannot be posted to topic %s: %s", topic, rd_kafka_err2str(error));
    return ACD_CTL_FAILED;
}

enum acd_ctl_exit acd_ctl_load_post(struct acd_ctl_load *load, const char *key, json_t *command,
                                    int64_t due_us)
{
    struct ticket ticket = {.number = load->posted, .due_us = due_us};
    char *text = json_dumps(command, JSON_COMPACT);
    enum acd_ctl_exit result;

    json_decref(command);
    if (!text || load->posted == load->capacity) {
        acd_ctl_error(text ? "more commands than planned" : "out of memory");
        free(text);
        return ACD_CTL_FAILED;
    }
    memcpy(ticket.run, load->run, sizeof(ticket.run));
    result = send_text(load, acd_slice_str(key), acd_slice_str(text), &ticket);
    load->posted += result == ACD_CTL_OK;
    free(text);
    return result;
}

static void count_code(struct acd_ctl_load *load, const char *name)
{
    int i = 0;

    while (i < load->code_count && strcmp(load->codes[i].name, name) != 0)
        i++;
    if (i == load->code_count && i == ACD_CTL_LOAD_CODES_MAX - 1)
        name = "other";
    if (i == ACD_CTL_LOAD_CODES_MAX)
        i--;
    if (i == load->code_count) {
        (void)snprintf(load->codes[i].name, sizeof(load->codes[i].name), "%s", name);
        load->codes[i].replies = 0;
        load->code_count++;
    }
    load->codes[i].replies++;
}

/* What a reply says: ok, partial, or its error's code. */
static void count_reply(struct acd_ctl_load *load, const rd_kafka_message_t *message)
{
    json_t *reply = json_loadb(message->payload, message->len, JSON_ALLOW_NUL, NULL);
    const char *status = json_string_value(json_object_get(reply, "status"));
    const char *code = json_string_value(json_object_get(json_object_get(reply, "error"), "code"));

    count_code(load, code ? code : status ? status : "unreadable");
    json_decref(reply);
}

static void take(struct acd_ctl_load *load, const rd_kafka_message_t *message)
{
    struct acd_slice correlation = acd_ctl_header(message, "kafka_correlationId");
    struct ticket ticket;
    int64_t late_us;

    if (correlation.len != sizeof(ticket))
        return;
    memcpy(&ticket, correlation.data, sizeof(ticket));
    if (memcmp(ticket.run, load->run, sizeof(ticket.run)) != 0 || ticket.number < 0 ||
        ticket.number >= load->posted)
        return;
    if (load->answered[ticket.number / 8] & 1u << ticket.number % 8) {
        load->duplicates++;
        return;
    }
    load->answered[ticket.number / 8] |= (uint8_t)(1u << ticket.number % 8);
    load->replied++;
    late_us = acd_clock_us() - ticket.due_us;
    acd_ctl_latency_add(&load->latency, late_us);
    acd_ctl_latency_add(&load->lately, late_us);
    count_reply(load, message);
}

void acd_ctl_load_take(struct acd_ctl_load *load, int64_t until_us)
{
    int64_t left_us;

    do {
        rd_kafka_message_t *message;

        left_us = until_us - acd_clock_us();
        (void)rd_kafka_poll(load->producer, 0);
        /* Rounded up, so that the last millisecond is waited for and not spun through. */
        message = acd_ctl_stream_next(load->replies, left_us > 0 ? (int)((left_us + 999) / 1000) : 0);
        if (message && !message->err)
            take(load, message);
        if (message)
            rd_kafka_message_destroy(message);
        else if (left_us <= 0)
            return;
    } while (left_us > 0 && load->replied < load->posted);
}
