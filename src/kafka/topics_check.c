/* Whether accountd's own topics are what it needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/producer.h"
#include "admin.h"
#include "directory.h"

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
    bool told; /* the broker has answered */
    bool compacted;
    bool deletes;          /* also by age or size */
    long long message_max; /* bytes */
};

static void ask_settings(struct acd_topics *topics, const char *topic, struct topic_settings *out)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    struct acd_admin admin = acd_admin_begin(topics->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    char error[256];

    rd_kafka_DescribeConfigs(topics->rk, &resource, 1, admin.options, admin.queue);
    if (acd_admin_wait(&admin, error, sizeof(error))) {
        size_t count;
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(admin.event), &count);
        const char *policy = count ? config_value(resources[0], "cleanup.policy") : NULL;
        const char *largest = count ? config_value(resources[0], "max.message.bytes") : NULL;

        out->told = policy && largest;
        if (policy)
            out->compacted = strstr(policy, "compact") != NULL;
        if (policy)
            out->deletes = strstr(policy, "delete") != NULL;
        if (largest)
            out->message_max = atoll(largest);
    }
    acd_admin_end(&admin);
    rd_kafka_ConfigResource_destroy(resource);
}

/* The own topics, the commands first, which the others follow in their number of partitions. */
enum role { COMMANDS, CHANGELOG, REPLIES, EXPORTS, DEAD_LETTERS, OWN_COUNT };

struct own {
    const char *name;
    int32_t *partitions;
};

/* What accountd does with each; Kafka lets see a topic whoever may do one of these. */
static const char *const needed_rights[OWN_COUNT] = {
    [COMMANDS] = "Read", [CHANGELOG] = "Read and Write", [REPLIES] = "Write",
    [EXPORTS] = "Write", [DEAD_LETTERS] = "Write",
};

static void list_own(const struct acd_settings *settings, struct acd_own_topics *out,
                     struct own own[OWN_COUNT])
{
    own[COMMANDS] = (struct own){settings->kafka.commands, &out->commands};
    own[CHANGELOG] = (struct own){settings->kafka.changelog, &out->changelog};
    own[REPLIES] = (struct own){settings->kafka.replies, &out->replies};
    own[EXPORTS] = (struct own){settings->kafka.exports, &out->exports};
    own[DEAD_LETTERS] = (struct own){settings->kafka.dead_letters, &out->dead_letters};
}

/* Settings that would lose commands, lose accounts, or stop a partition at its first large message. */
static void examine_settings(struct acd_topics *topics, const struct own *topic, enum role role,
                             struct acd_findings *findings)
{
    bool changelog = role == CHANGELOG;
    struct topic_settings found = {false, changelog, !changelog, ACD_MESSAGE_MAX};

    ask_settings(topics, topic->name, &found);
    if (!found.told)
        acd_finding_add(
            findings, ACD_FOUND_WARNING,
            "topic %s: its settings cannot be read: allow DescribeConfigs on it, or see to it that "
            "cleanup.policy is %s",
            topic->name, changelog ? "compact" : "delete");
    if (role == COMMANDS && found.compacted)
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "topic %s is compacted, which drops commands before they are read: set "
                        "cleanup.policy=delete",
                        topic->name);
    if (changelog && (!found.compacted || found.deletes))
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "topic %s is not only compacted, so accounts would be lost from it: set "
                        "cleanup.policy=compact",
                        topic->name);
    if (role != COMMANDS && found.message_max < ACD_MESSAGE_MAX)
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "topic %s takes messages of at most %lld bytes: set max.message.bytes to %d or more",
                        topic->name, found.message_max, ACD_MESSAGE_MAX);
}

/* Changes of partition P are in partition P of the changelog, and nowhere else. */
static void examine_changelog(const struct acd_settings *settings, const struct acd_own_topics *own,
                              struct acd_findings *findings)
{
    if (own->changelog > own->commands)
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "topic %s has %d partitions and %s has %d: they must be as many; give %s %d, or name "
                        "another changelog",
                        settings->kafka.changelog, own->changelog, settings->kafka.commands, own->commands,
                        settings->kafka.commands, own->changelog);
    if (own->changelog < own->commands)
        acd_finding_add(findings, ACD_FOUND_WARNING,
                        "topic %s has %d partitions and %s has %d: accountd adds what is missing, if it may "
                        "alter the topic, and else does not serve the others",
                        settings->kafka.changelog, own->changelog, settings->kafka.commands, own->commands);
}

static bool examine_cluster(struct acd_topics *topics, struct acd_own_topics *out,
                            struct acd_findings *findings)
{
    const char *brokers = topics->settings->kafka.brokers;
    rd_kafka_resp_err_t failure = acd_directory_take(topics);
    char *cluster = failure ? NULL : rd_kafka_clusterid(topics->rk, ACD_DIRECTORY_TIMEOUT_MS);

    if (failure)
        acd_directory_blame(topics, failure, findings);
    else if (!cluster)
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE, "Kafka at %s does not tell its cluster's id",
                        brokers);
    if (!cluster)
        return false;
    snprintf(out->cluster, sizeof(out->cluster), "%s", cluster);
    rd_kafka_mem_free(topics->rk, cluster);
    acd_finding_add(findings, ACD_FOUND_OK, "Kafka at %s: cluster %s, brokers: %d", brokers, out->cluster,
                    topics->picture->broker_cnt);
    return true;
}

/* A topic that is not in the picture does not exist, or it is kept from whoever has no right to it. */
static bool is_hidden(struct acd_topics *topics, const char *name)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(topics->rk, name, NULL);
    const struct rd_kafka_metadata *metadata = NULL;
    bool hidden = false;

    if (topic && !rd_kafka_metadata(topics->rk, 0, topic, &metadata, ACD_DIRECTORY_TIMEOUT_MS))
        hidden = metadata->topic_cnt == 1 &&
                 metadata->topics[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (topic)
        rd_kafka_topic_destroy(topic);
    return hidden;
}

static void blame_absent(struct acd_topics *topics, const char *name, enum role role,
                         struct acd_findings *findings)
{
    if (is_hidden(topics, name))
        acd_finding_add(
            findings, ACD_FOUND_FORBIDDEN,
            "topic %s: Kafka gives this user no right to it: allow %s, and create it if it is not there",
            name, needed_rights[role]);
    else
        acd_finding_add(
            findings, ACD_FOUND_MISSING,
            "topic %s does not exist: create it%s, or run accountd --create-topics", name,
            role == CHANGELOG ? " with cleanup.policy=compact and as many partitions as the commands" : "");
}

static void examine(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                    struct acd_findings *findings)
{
    struct own own[OWN_COUNT];
    bool all = true;

    list_own(topics->settings, out, own);
    if (!examine_cluster(topics, out, findings))
        return;
    for (int i = 0; i < OWN_COUNT; i++) {
        *own[i].partitions = acd_directory_partitions(topics, acd_slice_str(own[i].name));
        all &= *own[i].partitions > 0;
        if (*own[i].partitions == 0)
            blame_absent(topics, own[i].name, (enum role)i, findings);
        else
            acd_finding_add(findings, ACD_FOUND_OK, "topic %s: %d partitions", own[i].name,
                            *own[i].partitions);
        if (*own[i].partitions > 0 && !embedded)
            examine_settings(topics, &own[i], (enum role)i, findings);
    }
    if (all)
        examine_changelog(topics->settings, out, findings);
}

void acd_topics_examine(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                        struct acd_findings *findings)
{
    pthread_mutex_lock(&topics->lock);
    examine(topics, embedded, out, findings);
    pthread_mutex_unlock(&topics->lock);
}

enum acd_check acd_topics_check(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                                char *error, size_t error_bytes)
{
    struct acd_findings findings = {0};

    acd_topics_examine(topics, embedded, out, &findings);
    if (findings.worst <= ACD_FOUND_WARNING)
        return ACD_CHECK_OK;
    snprintf(error, error_bytes, "%s", findings.first);
    return findings.worst == ACD_FOUND_WRONG ? ACD_CHECK_REFUSE : ACD_CHECK_WAIT;
}
