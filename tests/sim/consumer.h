/* consumer.h: the simulated consumer's inside.
 *
 *   consumer.c      the membership, and what polls bring
 *   consumer_ask.c  questions to the cluster, and commits outside of transactions
 */
#ifndef ACCOUNTD_SIM_CONSUMER_H
#define ACCOUNTD_SIM_CONSUMER_H

#include "kafka.h"

struct acd_group {
    int32_t generation;
    char member[24];
};

enum membership {
    OUT,      /* of the group */
    JOINING,  /* waits for the rebalance to be done */
    MEMBER,   /* has a generation; the worker may not know it yet */
    REVOKING, /* waits for the worker to take note that its partitions are gone */
};

enum news { ASSIGNED, REVOKED };

struct acd_consumer {
    struct kafka_client client; /* first: the coordinator knows nothing else */
    struct sim_task *waiting;   /* in a poll, or NULL */
    struct acd_consumer *next;
    bool closed;
    enum membership membership;
    char member[24];
    int32_t generation;
    int64_t polled_us;

    /* What the next polls bring. */
    enum news news[8];
    uint32_t news_count;
    int32_t incoming[KAFKA_PARTITIONS_MAX];
    uint32_t incoming_count;

    /* What the worker knows. */
    uint64_t epoch;
    int32_t *assigned;
    uint32_t assigned_count;
    struct acd_group group;
    bool in_group;
    bool paused;
    int64_t position[KAFKA_PARTITIONS_MAX]; /* to fetch next, -1: nothing */
    bool told[KAFKA_PARTITIONS_MAX];        /* … is out of range */
    int64_t fetched_us[KAFKA_PARTITIONS_MAX];
    uint32_t turn;
    char error[128];
};

/* A process has ended, or stands still: nobody hears of its members any more. */
void consumer_silence(struct sim_life *life, bool ended);

/* The coordinator ends the session of some member that lives. */
void consumer_lose_session(void);

#endif
