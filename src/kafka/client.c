/* librdkafka's configuration and its log lines. */
#include "client.h"

#include <assert.h>
#include <string.h>
#include <syslog.h>

#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/secret.h"

static void forward_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    enum acd_log_level own = level <= LOG_ERR       ? ACD_LOG_WARNING
                             : level <= LOG_WARNING ? ACD_LOG_INFO
                                                    : ACD_LOG_DEBUG;

    const struct acd_log_field field = acd_log_text("facility", acd_slice_str(facility));

    /* Each role is told of the other role's properties, and an old broker's limits are known. */
    if (strcmp(facility, "CONFWARN") == 0 || strcmp(facility, "AUTOCREATE") == 0)
        own = ACD_LOG_DEBUG;
    if (level <= LOG_ERR)
        acd_metric_add(ACD_METRIC_KAFKA_ERRORS, 1);
    /* What librdkafka calls an error (a broker that went away) is mended by itself. */
    acd_log_fields(own, &field, 1, "kafka: %s", text);
}

void acd_kafka_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char error[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, error, sizeof(error));

    if (result != RD_KAFKA_CONF_OK)
        acd_log(ACD_LOG_ERROR, "kafka: %s=%s: %s", name, value, error);
    assert(result == RD_KAFKA_CONF_OK);
}

rd_kafka_conf_t *acd_kafka_conf(const struct acd_settings *settings, const struct acd_kafka_default *defaults)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    acd_kafka_set(conf, "client.id", "accountd");
    acd_kafka_set(conf, "log_level", "6");
    /* Nagle's algorithm would hold the small requests of a transaction back for 40 ms. */
    acd_kafka_set(conf, "socket.nagle.disable", "true");
    /* By default a client waits ten seconds and more before it tries a broker again that was away for a
     * while. */
    acd_kafka_set(conf, "reconnect.backoff.max.ms", "1000");
    for (; defaults->name; defaults++)
        acd_kafka_set(conf, defaults->name, defaults->value);
    for (uint32_t i = 0; i < settings->kafka.properties.count; i++) {
        struct acd_property property;
        char error[512];

        /* A secret that is gone leaves the client to be refused by the broker, which is tried again. */
        if (acd_property_read(settings->kafka.properties.items[i], &property, error, sizeof(error)))
            acd_log(ACD_LOG_ERROR, "kafka.properties: %s", error);
        else
            acd_kafka_set(conf, property.name, property.value);
        explicit_bzero(&property, sizeof(property));
    }
    acd_kafka_set(conf, "bootstrap.servers", settings->kafka.brokers);
    rd_kafka_conf_set_log_cb(conf, forward_log);
    return conf;
}

int acd_kafka_check(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t error_bytes)
{
    rd_kafka_t *rk;

    /* Without brokers it connects to nobody, which it would complain of. */
    acd_kafka_set(conf, "bootstrap.servers", "");
    acd_kafka_set(conf, "log_level", "0");
    rk = rd_kafka_new(type, conf, error, error_bytes);
    if (rk)
        rd_kafka_destroy(rk);
    else
        rd_kafka_conf_destroy(conf);
    return rk ? 0 : -1;
}

/* NULL, which stands for the client's own, where librdkafka was built without this one. */
static rd_kafka_topic_conf_t *compressed(rd_kafka_t *rk, const char *compression)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(rk);

    if (rd_kafka_topic_conf_set(conf, "compression.codec", compression, NULL, 0) == RD_KAFKA_CONF_OK)
        return conf;
    rd_kafka_topic_conf_destroy(conf);
    return NULL;
}

rd_kafka_topic_t *acd_kafka_topic(rd_kafka_t *rk, struct acd_slice name, const char *compression,
                                  int timeout_ms)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic;
    char text[256];

    if (name.len >= sizeof(text))
        return NULL;
    memcpy(text, name.data, name.len);
    text[name.len] = '\0';
    topic = rd_kafka_topic_new(rk, text, compression ? compressed(rk, compression) : NULL);
    if (topic && !rd_kafka_metadata(rk, 0, topic, &metadata, timeout_ms))
        rd_kafka_metadata_destroy(metadata);
    return topic;
}

rd_kafka_headers_t *acd_kafka_headers(const struct acd_outgoing *message)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(message->header_count);

    for (uint32_t i = 0; i < message->header_count; i++)
        rd_kafka_header_add(headers, message->headers[i].name.data, (ssize_t)message->headers[i].name.len,
                            message->headers[i].value.data, (ssize_t)message->headers[i].value.len);
    return headers;
}
