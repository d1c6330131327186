/* Making accountd's own topics, as it needs them. */
#include <stdio.h>
#include <string.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "admin.h"
#include "directory.h"

/* What a command may have beside its value: key, headers, and what Kafka adds. */
#define ENVELOPE_BYTES 65536

/* The brokers' own default, whatever this cluster's is. */
#define MESSAGE_BYTES 1048588

/* How often the cluster is asked whether what was made is there. */
#define LOOK_MS 50

/* A topic to be made. */
struct plan {
    const char *name;
    int32_t partitions;
    const char *policy;
    long long message_bytes;
};

/* What the broker says of one topic; false for a refusal, with the reason. */
static bool is_made(rd_kafka_event_t *event, char *error, size_t error_bytes)
{
    const rd_kafka_topic_result_t **results;
    rd_kafka_resp_err_t failure;
    size_t count = 0;

    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    failure = count ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR_UNKNOWN;
    /* Another daemon of the group was quicker. */
    if (!failure || failure == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return true;
    snprintf(error, error_bytes, "%s",
             count && rd_kafka_topic_result_error_string(results[0])
                 ? rd_kafka_topic_result_error_string(results[0])
                 : rd_kafka_err2str(failure));
    return false;
}

static bool create(struct acd_topics *topics, const struct plan *plan, char *error, size_t error_bytes)
{
    int64_t replicas = topics->settings->topics.replication_factor;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(plan->name, plan->partitions,
                                                       replicas ? (int)replicas : -1, error, error_bytes);
    struct acd_admin admin;
    char bytes[32];
    bool made;

    if (!topic)
        return false;
    snprintf(bytes, sizeof(bytes), "%lld", plan->message_bytes);
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", plan->policy);
    rd_kafka_NewTopic_set_config(topic, "max.message.bytes", bytes);
    admin = acd_admin_begin(topics->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(topics->rk, &topic, 1, admin.options, admin.queue);
    made = acd_admin_wait(&admin, error, error_bytes) && is_made(admin.event, error, error_bytes);
    acd_admin_end(&admin);
    rd_kafka_NewTopic_destroy(topic);
    return made;
}

/* Waits until a new topic is in the picture. Returns its partitions, 0 when it does not come. */
static int32_t wait_for(struct acd_topics *topics, const char *name)
{
    int64_t until = acd_clock_ms() + ACD_DIRECTORY_TIMEOUT_MS;
    int32_t partitions;

    while ((partitions = acd_directory_partitions(topics, acd_slice_str(name))) == 0 &&
           acd_clock_ms() < until) {
        acd_clock_sleep_ms(LOOK_MS);
        if (acd_directory_take(topics))
            return 0;
    }
    return partitions;
}

/* Makes the topic unless it is there. Returns its partitions, 0 after a finding. */
static int32_t have(struct acd_topics *topics, const struct plan *plan, struct acd_findings *findings)
{
    int32_t partitions = acd_directory_partitions(topics, acd_slice_str(plan->name));
    char error[256] = "it was made, and is not there yet";

    if (partitions)
        return partitions;
    if (create(topics, plan, error, sizeof(error)))
        partitions = wait_for(topics, plan->name);
    if (partitions) {
        acd_log(ACD_LOG_INFO, "topic %s: made, with %d partitions and cleanup.policy=%s", plan->name,
                partitions, plan->policy);
        acd_finding_add(findings, ACD_FOUND_OK, "topic %s was made, with %d partitions and cleanup.policy=%s",
                        plan->name, partitions, plan->policy);
    } else {
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "topic %s cannot be made: %s: allow accountd to create it, or create it with "
                        "cleanup.policy=%s and %d partitions",
                        plan->name, error, plan->policy, plan->partitions);
    }
    return partitions;
}

static bool any_committed(const rd_kafka_topic_partition_list_t *offsets, const char *topic)
{
    for (int i = 0; offsets && i < offsets->cnt; i++)
        if (strcmp(offsets->elems[i].topic, topic) == 0 && offsets->elems[i].offset >= 0)
            return true;
    return false;
}

/* Whether the group has answered commands before. Returns -1 when that cannot be known, with the reason. */
static int has_committed(struct acd_topics *topics, char *error, size_t error_bytes)
{
    rd_kafka_ListConsumerGroupOffsets_t *ask =
        rd_kafka_ListConsumerGroupOffsets_new(topics->settings->kafka.group, NULL);
    struct acd_admin admin = acd_admin_begin(topics->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    const rd_kafka_group_result_t **groups;
    size_t count = 0;
    int committed = -1;

    rd_kafka_ListConsumerGroupOffsets(topics->rk, &ask, 1, admin.options, admin.queue);
    if (acd_admin_wait(&admin, error, error_bytes)) {
        groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(admin.event), &count);
        if (count && rd_kafka_group_result_error(groups[0]))
            snprintf(error, error_bytes, "%s", rd_kafka_error_string(rd_kafka_group_result_error(groups[0])));
        else if (count)
            committed =
                any_committed(rd_kafka_group_result_partitions(groups[0]), topics->settings->kafka.commands);
    }
    acd_admin_end(&admin);
    rd_kafka_ListConsumerGroupOffsets_destroy(ask);
    return committed;
}

/* A changelog that is missing where commands were answered was lost. An empty one in its place would pass for
 * whole some day, when Redis has to be restored from it. */
static bool may_make_changelog(struct acd_topics *topics, struct acd_findings *findings)
{
    const struct acd_settings *settings = topics->settings;
    char error[256];
    int committed = has_committed(topics, error, sizeof(error));

    if (committed > 0)
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "topic %s is missing, and group %s has answered commands of %s: a new one would lack "
                        "their accounts; restore it, or see kafka.group and kafka.changelog",
                        settings->kafka.changelog, settings->kafka.group, settings->kafka.commands);
    if (committed < 0)
        acd_finding_add(
            findings, ACD_FOUND_FORBIDDEN,
            "topic %s cannot be made: whether group %s has answered commands cannot be known: %s: "
            "allow accountd to describe and read the group",
            settings->kafka.changelog, settings->kafka.group, error);
    return committed == 0;
}

static void make_all(struct acd_topics *topics, struct acd_findings *findings)
{
    const struct acd_settings *settings = topics->settings;
    struct plan plan = {settings->kafka.commands, (int32_t)settings->topics.partitions, "delete",
                        settings->limits.command_bytes + ENVELOPE_BYTES};
    const char *const followers[] = {settings->kafka.replies, settings->kafka.exports,
                                     settings->kafka.dead_letters};

    plan.partitions = have(topics, &plan, findings);
    if (!plan.partitions)
        return;
    plan.message_bytes = MESSAGE_BYTES;
    for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++) {
        plan.name = followers[i];
        have(topics, &plan, findings);
    }
    plan.name = settings->kafka.changelog;
    plan.policy = "compact";
    if (acd_directory_partitions(topics, acd_slice_str(plan.name)) || may_make_changelog(topics, findings))
        have(topics, &plan, findings);
}

void acd_topics_create(struct acd_topics *topics, struct acd_findings *findings)
{
    rd_kafka_resp_err_t failure;

    pthread_mutex_lock(&topics->lock);
    failure = acd_directory_take(topics);
    if (failure)
        acd_directory_blame(topics, failure, findings);
    else
        make_all(topics, findings);
    pthread_mutex_unlock(&topics->lock);
}
