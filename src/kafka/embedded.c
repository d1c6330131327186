/* librdkafka's mock cluster as the embedded Kafka. */
#include "accountd/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>

struct acd_embedded {
    rd_kafka_t *rk; /* carries the cluster's thread; connects to nothing */
    rd_kafka_mock_cluster_t *cluster;
};

static rd_kafka_t *open_carrier(char *error, size_t error_bytes)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;

    /* It would warn that it has no brokers. */
    rd_kafka_conf_set_log_cb(conf, NULL);
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_bytes);
    if (!rk)
        rd_kafka_conf_destroy(conf);
    return rk;
}

static int make_topics(struct acd_embedded *kafka, const struct acd_settings *settings, char *error,
                       size_t error_bytes)
{
    const char *const topics[] = {settings->kafka.commands, settings->kafka.replies, settings->kafka.exports,
                                  settings->kafka.changelog, settings->kafka.dead_letters};

    for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
        rd_kafka_resp_err_t failure =
            rd_kafka_mock_topic_create(kafka->cluster, topics[i], ACD_EMBEDDED_PARTITIONS, 1);

        if (failure) {
            snprintf(error, error_bytes, "topic %s: %s", topics[i], rd_kafka_err2str(failure));
            return -1;
        }
    }
    return 0;
}

struct acd_embedded *acd_embedded_start(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_embedded *kafka = calloc(1, sizeof(*kafka));

    if (!kafka) {
        snprintf(error, error_bytes, "out of memory");
        return NULL;
    }
    kafka->rk = open_carrier(error, error_bytes);
    if (!kafka->rk)
        goto fail;
    kafka->cluster = rd_kafka_mock_cluster_new(kafka->rk, 1);
    if (!kafka->cluster) {
        snprintf(error, error_bytes, "librdkafka cannot start its mock cluster");
        goto fail;
    }
    if (make_topics(kafka, settings, error, error_bytes) == 0)
        return kafka;
fail:
    acd_embedded_stop(kafka);
    return NULL;
}

const char *acd_embedded_brokers(const struct acd_embedded *kafka)
{
    return rd_kafka_mock_cluster_bootstraps(kafka->cluster);
}

void acd_embedded_stop(struct acd_embedded *kafka)
{
    if (!kafka)
        return;
    if (kafka->cluster)
        rd_kafka_mock_cluster_destroy(kafka->cluster);
    if (kafka->rk)
        rd_kafka_destroy(kafka->rk);
    free(kafka);
}
