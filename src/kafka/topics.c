/* The directory of topics. */
#include "admin.h"
#include "directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/clock.h"

/* librdkafka does not repeat for half a minute what it has said of a broker. */
#define REPEATED_MS 60000

/* The client's certificate is refused by an alert, on a connection that was up. */
static bool is_refusal(int error, const char *reason)
{
    return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR__SSL ||
           strstr(reason, "SSL alert number");
}

/* The last thing that librdkafka says of a connection, without what changes at every try, and without its
 * advice, which is for one of the reasons that there may be. A host may have several addresses, with a broker
 * behind one of them: that it refused or hung up on us tells more than that nobody listens at the others. */
static void note_trouble(rd_kafka_t *rk, int error, const char *reason, void *opaque)
{
    struct acd_topics *topics = opaque;
    bool refused = is_refusal(error, reason);
    bool spoken = refused || strstr(reason, "security.protocol");
    const char *tail = strstr(reason, ": broker certificate could not be verified");

    topics->all_down |= error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return; /* which names none of them */
    if (topics->trouble[0] && topics->spoken && !spoken && acd_clock_ms() - topics->trouble_ms < REPEATED_MS)
        return;
    if (!tail)
        tail = strstr(reason, " (after ");
    topics->refused = refused;
    topics->spoken = spoken;
    topics->trouble_ms = acd_clock_ms();
    snprintf(topics->trouble, sizeof(topics->trouble), "%.*s",
             (int)(tail ? (size_t)(tail - reason) : strlen(reason)), reason);
}

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
    rd_kafka_conf_set_error_cb(conf, note_trouble);
    rd_kafka_conf_set_opaque(conf, topics);
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

/* True when it is known why no broker can be reached. A connection that broke off may have lost the alert
 * that says why: that is tried once more. */
static bool is_settled(const struct acd_topics *topics, size_t tries)
{
    return topics->all_down && (topics->spoken || strstr(topics->trouble, "Connect to ") ||
                                strstr(topics->trouble, "resolve") || tries > 0);
}

/* Asks for a picture. Where no broker at all can be reached, waiting longer is of no use. */
static rd_kafka_resp_err_t ask(struct acd_topics *topics, const struct rd_kafka_metadata **picture)
{
    static const int timeouts_ms[] = {ACD_DIRECTORY_TIMEOUT_MS / 10, ACD_DIRECTORY_TIMEOUT_MS * 3 / 10,
                                      ACD_DIRECTORY_TIMEOUT_MS * 6 / 10};
    rd_kafka_resp_err_t failure = RD_KAFKA_RESP_ERR_UNKNOWN;

    rd_kafka_poll(topics->rk, 0);
    topics->all_down = false;
    for (size_t i = 0; failure && i < sizeof(timeouts_ms) / sizeof(timeouts_ms[0]); i++) {
        failure = rd_kafka_metadata(topics->rk, 1, NULL, picture, timeouts_ms[i]);
        rd_kafka_poll(topics->rk, 0); /* for note_trouble */
        if (is_settled(topics, i))
            break;
    }
    /* Until a broker answers it is still the reason, though it is not repeated. */
    if (!failure)
        topics->trouble[0] = '\0';
    return failure;
}

/* An old picture is kept when a new one cannot be had: it is right far more often than none. */
rd_kafka_resp_err_t acd_directory_take(struct acd_topics *topics)
{
    const struct rd_kafka_metadata *picture = NULL;
    rd_kafka_resp_err_t failure = ask(topics, &picture);

    topics->taken_ms = acd_clock_ms();
    if (failure)
        return failure;
    if (topics->picture)
        rd_kafka_metadata_destroy(topics->picture);
    topics->picture = picture;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Until 2.6.1 librdkafka sends its nonce twice, which Kafka refuses from 4.0 on as if the password were
 * wrong. */
#define SCRAM_MENDED 0x02060100

void acd_directory_blame(const struct acd_topics *topics, rd_kafka_resp_err_t failure,
                         struct acd_findings *findings)
{
    const char *brokers = topics->settings->kafka.brokers;
    const char *why = topics->trouble[0] ? topics->trouble : rd_kafka_err2str(failure);
    const char *scram = strstr(why, "SCRAM") && rd_kafka_version() < SCRAM_MENDED
                            ? "; Kafka 4 refuses any SCRAM of a librdkafka before 2.6.1, see docs/security.md"
                            : "";

    if (topics->trouble[0] && topics->refused && strstr(why, "SASL"))
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "Kafka at %s refuses the login: %s: see kafka.properties%s", brokers, why, scram);
    else if (topics->trouble[0] && topics->refused)
        acd_finding_add(
            findings, ACD_FOUND_FORBIDDEN,
            "Kafka at %s: no TLS: %s: the broker's certificate must be of that name and authority, "
            "and ours of one that it trusts; see ssl.* in kafka.properties",
            brokers, why);
    else
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE,
                        "Kafka at %s cannot be reached: %s: see kafka.brokers and kafka.properties", brokers,
                        why);
}

int32_t acd_directory_partitions(const struct acd_topics *topics, struct acd_slice name)
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
        acd_directory_take(topics);
    partitions = acd_directory_partitions(topics, name);
    pthread_mutex_unlock(&topics->lock);
    return partitions;
}

/* `error` tells what the broker says; empty for success. */
static void grow(struct acd_topics *topics, const char *name, int32_t count, char *error, size_t error_bytes)
{
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(name, (size_t)count, error, error_bytes);
    const rd_kafka_topic_result_t **results;
    struct acd_admin admin;
    size_t asked = 0;

    if (!more)
        return;
    admin = acd_admin_begin(topics->rk, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(topics->rk, &more, 1, admin.options, admin.queue);
    if (acd_admin_wait(&admin, error, error_bytes)) {
        results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(admin.event),
                                                          &asked);
        if (asked && rd_kafka_topic_result_error(results[0]))
            snprintf(error, error_bytes, "%s", rd_kafka_err2str(rd_kafka_topic_result_error(results[0])));
    }
    acd_admin_end(&admin);
    rd_kafka_NewPartitions_destroy(more);
}

int acd_topics_grow(struct acd_topics *topics, const char *name, int32_t count, char *error,
                    size_t error_bytes)
{
    bool grown;

    pthread_mutex_lock(&topics->lock);
    acd_directory_take(topics);
    grown = acd_directory_partitions(topics, acd_slice_str(name)) >= count;
    if (!grown) {
        grow(topics, name, count, error, error_bytes);
        acd_directory_take(topics);
        grown = acd_directory_partitions(topics, acd_slice_str(name)) >= count;
        if (!grown && !error[0])
            snprintf(error, error_bytes, "not there yet");
    }
    pthread_mutex_unlock(&topics->lock);
    return grown ? 0 : -1;
}
