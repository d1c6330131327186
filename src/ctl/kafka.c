/* Properties in three layers, and which of them accountctl insists on. */
#include "kafka.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "accountd/secret.h"
#include "terminal.h"

#define ERROR_BYTES 512

struct property {
    const char *name; /* NULL ends a list */
    const char *value;
};

/* Log lines repeat what the error callback tells, at the wrong moment for somebody who waits for an answer.
 */
static void drop_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[ERROR_BYTES];

    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) == RD_KAFKA_CONF_OK)
        return true;
    acd_ctl_error("%s", error);
    return false;
}

/* Sets "NAME=VALUE", or the secret that is in the file of "NAME_file=FILE". */
static bool set_text(rd_kafka_conf_t *conf, const char *text)
{
    struct acd_property property;
    char error[ERROR_BYTES];
    bool done = acd_property_read(text, &property, error, sizeof(error)) == 0;

    if (done)
        done = set(conf, property.name, property.value);
    else
        acd_ctl_error("librdkafka's properties: %s", error);
    explicit_bzero(&property, sizeof(property));
    return done;
}

static rd_kafka_t *create(const struct acd_ctl_kafka *kafka, rd_kafka_type_t type, const struct property *own)
{
    const struct acd_strings *shared = &kafka->settings->kafka.properties;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool ok = set(conf, "client.id", "accountctl");
    char error[ERROR_BYTES];
    rd_kafka_t *rk = NULL;

    for (uint32_t i = 0; ok && i < shared->count; i++)
        ok = set_text(conf, shared->items[i]);
    for (uint32_t i = 0; ok && i < kafka->args->property_count; i++)
        ok = set_text(conf, kafka->args->properties[i]);
    ok = ok && set(conf, "bootstrap.servers", kafka->settings->kafka.brokers);
    for (; ok && own->name; own++)
        ok = set(conf, own->name, own->value);
    rd_kafka_conf_set_opaque(conf, kafka->opaque);
    rd_kafka_conf_set_log_cb(conf, drop_log);
    rd_kafka_conf_set_error_cb(conf, kafka->trouble);
    if (type == RD_KAFKA_PRODUCER && kafka->delivered)
        rd_kafka_conf_set_dr_msg_cb(conf, kafka->delivered);
    if (ok) {
        rk = rd_kafka_new(type, conf, error, sizeof(error));
        if (!rk)
            acd_ctl_error("%s", error);
    }
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

rd_kafka_t *acd_ctl_kafka_consumer(const struct acd_ctl_kafka *kafka)
{
    static const struct property own[] = {
        {"isolation.level", "read_committed"},
        {"allow.auto.create.topics", "false"},
        /* Where the noted end is gone because the topic was emptied, what is left came after it. */
        {"auto.offset.reset", "earliest"},
        /* Some brokers answer an idle fetch only when its wait is over, even if a message came. */
        {"fetch.wait.max.ms", "100"},
        {NULL, NULL},
    };

    return create(kafka, RD_KAFKA_CONSUMER, own);
}

rd_kafka_t *acd_ctl_kafka_producer(const struct acd_ctl_kafka *kafka)
{
    char timeout[16];
    const struct property own[] = {
        {"enable.idempotence", "true"},
        /* As Kafka's own clients do, so that all of an account's commands share a partition. */
        {"partitioner", "murmur2_random"},
        {"linger.ms", "0"},
        /* What is not posted when we give up must not be posted after. */
        {"message.timeout.ms", timeout},
        {NULL, NULL},
    };

    (void)snprintf(timeout, sizeof(timeout), "%d", kafka->args->timeout_ms);
    return create(kafka, RD_KAFKA_PRODUCER, own);
}

rd_kafka_t *acd_ctl_kafka_reader(const struct acd_ctl_kafka *kafka, enum acd_ctl_reading reading)
{
    const struct property own[] = {
        {"isolation.level", reading == ACD_CTL_READING_ENDS ? "read_uncommitted" : "read_committed"},
        {"allow.auto.create.topics", "false"},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", reading == ACD_CTL_READING_LIVE ? "100" : "10"},
        {"check.crcs", "true"},
        {NULL, NULL},
    };

    return create(kafka, RD_KAFKA_CONSUMER, own);
}

rd_kafka_t *acd_ctl_kafka_transactional(const struct acd_ctl_kafka *kafka, const char *id)
{
    const struct property own[] = {
        {"transactional.id", id},
        {"partitioner", "murmur2_random"},
        {"linger.ms", "0"},
        /* While a transaction is open its readers wait: one whose producer died is ended soon. */
        {"transaction.timeout.ms", "10000"},
        {"message.timeout.ms", "10000"},
        {NULL, NULL},
    };

    return create(kafka, RD_KAFKA_PRODUCER, own);
}
