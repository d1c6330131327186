/* The directory of topics. */
#include "accountd/topics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/producer.h"
#include "client.h"

#define ASK_TIMEOUT_MS 10000

struct acd_topics {
    pthread_mutex_t lock;
    rd_kafka_t *rk;
    const struct acd_settings *settings;
    const struct rd_kafka_metadata *picture; /* of the whole cluster, or NULL */
    int64_t taken_ms;                        /* when it was tried last */
};

struct acd_topics *acd_topics_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    static const struct acd_kafka_default defaults[] = {{NULL, NULL}};
    struct acd_topics *topics = calloc(1, sizeof(*topics));
    rd_kafka_conf_t *conf;

    if (!topics)
        return NULL;
    pthread_mutex_init(&topics->lock, NULL);
    topics->settings = settings;
    topics->taken_ms = INT64_MIN / 2;
    conf = acd_kafka_conf(settings, defaults);
    acd_kafka_set(conf, "allow.auto.create.topics", "false");
    topics->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, error_bytes);
    if (topics->rk)
        return topics;
    rd_kafka_conf_destroy(conf);
    acd_topics_close(topics);
    return NULL;
}

void acd_topics_close(struct acd_topics *topics)
{
    if (!topics)
        return;
    if (topics->picture)
        rd_kafka_metadata_destroy(topics->picture);
    if (topics->rk)
        rd_kafka_destroy(topics->rk);
    pthread_mutex_destroy(&topics->lock);
    free(topics);
}

/* An old picture is kept when a new one cannot be had: it is right far more often than none. */
static rd_kafka_resp_err_t take_picture(struct acd_topics *topics)
{
    const struct rd_kafka_metadata *picture = NULL;
    rd_kafka_resp_err_t failure = rd_kafka_metadata(topics->rk, 1, NULL, &picture, ASK_TIMEOUT_MS);

    topics->taken_ms = acd_clock_ms();
    if (failure)
        return failure;
    if (topics->picture)
        rd_kafka_metadata_destroy(topics->picture);
    topics->picture = picture;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static int32_t partitions_in_picture(const struct acd_topics *topics, struct acd_slice name)
{
    for (int i = 0; topics->picture && i < topics->picture->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &topics->picture->topics[i];

        if (!topic->err && acd_slice_is(name, topic->topic))
            return topic->partition_cnt;
    }
    return 0;
}

int32_t acd_topics_partitions(struct acd_topics *topics, struct acd_slice name)
{
    int32_t partitions;

    pthread_mutex_lock(&topics->lock);
    if (acd_clock_ms() - topics->taken_ms >= ACD_TOPICS_AGE_MS)
        take_picture(topics);
    partitions = partitions_in_picture(topics, name);
    pthread_mutex_unlock(&topics->lock);
    return partitions;
}

/* What the broker says of one CreatePartitions; empty for success. */
static void growth_error(rd_kafka_event_t *event, char *error, size_t error_bytes)
{
    const rd_kafka_topic_result_t **results;
    size_t count = 0;

    error[0] = '\0';
    if (!event) {
        snprintf(error, error_bytes, "no answer");
    } else if (rd_kafka_event_error(event)) {
        snprintf(error, error_bytes, "%s", rd_kafka_event_error_string(event));
    } else {
        results =
            rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
        if (count && rd_kafka_topic_result_error(results[0]))
            snprintf(error, error_bytes, "%s", rd_kafka_err2str(rd_kafka_topic_result_error(results[0])));
    }
}

static void grow(struct acd_topics *topics, const char *name, int32_t count, char *error, size_t error_bytes)
{
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(name, (size_t)count, error, error_bytes);
    rd_kafka_AdminOptions_t *options;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;

    if (!more)
        return;
    options = rd_kafka_AdminOptions_new(topics->rk, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    queue = rd_kafka_queue_new(topics->rk);
    rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, NULL, 0);
    rd_kafka_CreatePartitions(topics->rk, &more, 1, options, queue);
    event = rd_kafka_queue_poll(queue, ASK_TIMEOUT_MS);
    growth_error(event, error, error_bytes);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewPartitions_destroy(more);
}

int acd_topics_grow(struct acd_topics *topics, const char *name, int32_t count, char *error,
                    size_t error_bytes)
{
    bool grown;

    pthread_mutex_lock(&topics->lock);
    take_picture(topics);
    grown = partitions_in_picture(topics, acd_slice_str(name)) >= count;
    if (!grown) {
        grow(topics, name, count, error, error_bytes);
        take_picture(topics);
        grown = partitions_in_picture(topics, acd_slice_str(name)) >= count;
        if (!grown && !error[0])
            snprintf(error, error_bytes, "not there yet");
    }
    pthread_mutex_unlock(&topics->lock);
    return grown ? 0 : -1;
}

static const char *config_value(const rd_kafka_ConfigResource_t *resource, const char *name)
{
    size_t count;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* A topic's settings as far as they matter; what the broker does not tell stays as it was. */
struct topic_settings {
    bool compacted;
    bool deletes;          /* also by age or size */
    long long message_max; /* bytes */
};

static void ask_settings(struct acd_topics *topics, const char *topic, struct topic_settings *out)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(topics->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(topics->rk);
    rd_kafka_event_t *event;

    rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, NULL, 0);
    rd_kafka_DescribeConfigs(topics->rk, &resource, 1, options, queue);
    event = rd_kafka_queue_poll(queue, ASK_TIMEOUT_MS);
    if (event && !rd_kafka_event_error(event)) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
        const char *policy = count ? config_value(resources[0], "cleanup.policy") : NULL;
        const char *largest = count ? config_value(resources[0], "max.message.bytes") : NULL;

        if (policy)
            out->compacted = strstr(policy, "compact") != NULL;
        if (policy)
            out->deletes = strstr(policy, "delete") != NULL;
        if (largest)
            out->message_max = atoll(largest);
    } else if (event) {
        acd_log(ACD_LOG_DEBUG, "kafka: settings of topic %s: %s", topic, rd_kafka_event_error_string(event));
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
}

/* Topics whose settings would lose commands, lose accounts, or stop a partition at its first large message.
 */
static enum acd_check check_settings(struct acd_topics *topics, char *error, size_t error_bytes)
{
    const struct acd_settings *settings = topics->settings;
    const char *const written[] = {settings->kafka.changelog, settings->kafka.replies,
                                   settings->kafka.exports, settings->kafka.dead_letters};
    struct topic_settings found = {false, true, ACD_MESSAGE_MAX};

    ask_settings(topics, settings->kafka.commands, &found);
    if (found.compacted) {
        snprintf(
            error, error_bytes,
            "topic %s is compacted, which drops commands before they are read: set cleanup.policy=delete",
            settings->kafka.commands);
        return ACD_CHECK_REFUSE;
    }
    for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
        found = (struct topic_settings){true, false, ACD_MESSAGE_MAX};
        ask_settings(topics, written[i], &found);
        if (i == 0 && (!found.compacted || found.deletes)) {
            snprintf(error, error_bytes,
                     "topic %s is not only compacted, so accounts would be lost from it: set "
                     "cleanup.policy=compact",
                     written[i]);
            return ACD_CHECK_REFUSE;
        }
        if (found.message_max < ACD_MESSAGE_MAX) {
            snprintf(error, error_bytes,
                     "topic %s takes messages of at most %lld bytes: set max.message.bytes to %d or more",
                     written[i], found.message_max, ACD_MESSAGE_MAX);
            return ACD_CHECK_REFUSE;
        }
    }
    return ACD_CHECK_OK;
}

static enum acd_check find_own(struct acd_topics *topics, struct acd_own_topics *out, char *error,
                               size_t error_bytes)
{
    const struct acd_settings *settings = topics->settings;
    const struct {
        const char *name;
        int32_t *partitions;
    } own[] = {{settings->kafka.commands, &out->commands},
               {settings->kafka.replies, &out->replies},
               {settings->kafka.exports, &out->exports},
               {settings->kafka.changelog, &out->changelog},
               {settings->kafka.dead_letters, &out->dead_letters}};
    rd_kafka_resp_err_t failure = take_picture(topics);
    char *cluster;

    if (failure) {
        snprintf(error, error_bytes, "Kafka at %s cannot be reached: %s", settings->kafka.brokers,
                 rd_kafka_err2str(failure));
        return ACD_CHECK_WAIT;
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        *own[i].partitions = partitions_in_picture(topics, acd_slice_str(own[i].name));
        if (*own[i].partitions == 0) {
            snprintf(error, error_bytes, "topic %s does not exist: create it%s", own[i].name,
                     own[i].partitions == &out->changelog
                         ? " with cleanup.policy=compact and as many partitions as the commands"
                         : "");
            return ACD_CHECK_WAIT;
        }
    }
    cluster = rd_kafka_clusterid(topics->rk, ASK_TIMEOUT_MS);
    if (!cluster) {
        snprintf(error, error_bytes, "Kafka at %s does not tell its cluster's id", settings->kafka.brokers);
        return ACD_CHECK_WAIT;
    }
    snprintf(out->cluster, sizeof(out->cluster), "%s", cluster);
    rd_kafka_mem_free(topics->rk, cluster);
    return ACD_CHECK_OK;
}

enum acd_check acd_topics_check(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                                char *error, size_t error_bytes)
{
    enum acd_check result;

    pthread_mutex_lock(&topics->lock);
    result = find_own(topics, out, error, error_bytes);
    if (result == ACD_CHECK_OK && !embedded)
        result = check_settings(topics, error, error_bytes);
    pthread_mutex_unlock(&topics->lock);
    return result;
}
