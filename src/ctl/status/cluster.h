/* cluster.h: what Kafka knows of accountd: its topics, its consumer group, and how far that is.
 *
 * Nothing is joined or committed. A cluster lasts as long as the program and has copies of what it needs of
 * the settings, so that it can be asked by a thread that nobody waits for. One thread at a time.
 */
#ifndef ACCOUNTD_CTL_STATUS_CLUSTER_H
#define ACCOUNTD_CTL_STATUS_CLUSTER_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#include "../link.h"

/* X(identifier, the setting's name) */
#define ACD_CTL_TOPICS(X)                                                                                    \
    X(COMMANDS, commands)                                                                                    \
    X(REPLIES, replies)                                                                                      \
    X(EXPORTS, exports)                                                                                      \
    X(CHANGELOG, changelog)                                                                                  \
    X(DEAD_LETTERS, dead_letters)

enum acd_ctl_topic {
#define X(id, name) ACD_CTL_TOPIC_##id,
    ACD_CTL_TOPICS(X)
#undef X
        ACD_CTL_TOPIC_COUNT
};

extern const char *const acd_ctl_topic_roles[ACD_CTL_TOPIC_COUNT];

struct acd_ctl_topic_state {
    char *name;
    int32_t partitions;        /* -1: not known */
    rd_kafka_resp_err_t error; /* why it is not */
};

/* One of the command topic's partitions. */
struct acd_ctl_partition {
    int64_t first;
    int64_t end;
    int64_t committed; /* -1: nothing is */
    int64_t lag;       /* commands that are still to be decided; -1: not known */
    int member;        /* which of the members has it; -1: none */
};

struct acd_ctl_member {
    char id[256]; /* what tells it from others of the same client id */
    char client[128];
    char host[128];
};

struct acd_ctl_cluster {
    char *brokers;
    char *group;
    char error[512]; /* why nothing is known; empty: the brokers answer */
    struct acd_ctl_topic_state topics[ACD_CTL_TOPIC_COUNT];

    char state[32]; /* of the group; empty: not known */
    char group_error[512];
    struct acd_ctl_member *members;
    int member_count;

    char offsets_error[512];
    struct acd_ctl_partition *partitions; /* of the command topic */
    int32_t partition_count;

    /* Where it asks; not for others. */
    struct acd_ctl_link link;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
};

/* Makes the client; no broker is needed for it. Mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_cluster_open(struct acd_ctl_cluster *out, const struct acd_settings *settings,
                                       const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Asks for everything anew. What could not be learnt has its error beside it. */
void acd_ctl_cluster_ask(struct acd_ctl_cluster *cluster, int64_t deadline_ms);

/* The lag of all partitions; -1: not known. */
int64_t acd_ctl_cluster_lag(const struct acd_ctl_cluster *cluster);

#endif
