/* topics.h: which topics there are, and with how many partitions.
 *
 * A message to a topic that does not exist stalls a transaction for half a minute and then breaks it, so
 * every topic is looked up before the commit to Redis. Own topics are checked once at start; topics that
 * commands name are looked up in a picture of the whole cluster that is at most ACD_TOPICS_AGE_MS old, and
 * that is taken anew at most that often, whatever names come.
 *
 * One directory serves all workers; it has a lock and a Kafka client of its own.
 */
#ifndef ACCOUNTD_TOPICS_H
#define ACCOUNTD_TOPICS_H

#include <stdint.h>

#include "accountd/finding.h"
#include "accountd/settings.h"
#include "accountd/slice.h"

#define ACD_TOPICS_AGE_MS 5000

struct acd_topics;

/* Returns NULL with the reason in `error`; the cluster need not be reachable yet. */
struct acd_topics *acd_topics_open(const struct acd_settings *settings, char *error, size_t error_bytes);

/* NULL is accepted. */
void acd_topics_close(struct acd_topics *topics);

/* Partitions of a topic that a command named; 0 when it does not exist. */
int32_t acd_topics_partitions(struct acd_topics *topics, struct acd_slice name);

/* Gives the topic `count` partitions, unless it has as many. Returns 0, or -1 with the reason in `error`. */
int acd_topics_grow(struct acd_topics *topics, const char *name, int32_t count, char *error,
                    size_t error_bytes) __attribute__((warn_unused_result));

/* Makes the own topics that are missing: the changelog compacted, and all with as many partitions as the
 * commands. One that is there stays as it is. Tells what was made, and what could not be. */
void acd_topics_create(struct acd_topics *topics, struct acd_findings *findings);

/* What is known of accountd's own topics. */
struct acd_own_topics {
    char cluster[64]; /* the cluster's id */
    int32_t commands; /* partitions each */
    int32_t replies;
    int32_t exports;
    int32_t changelog;
    int32_t dead_letters;
};

enum acd_check {
    ACD_CHECK_OK,
    ACD_CHECK_WAIT,   /* the cluster cannot be reached, or a topic is missing: to be tried again */
    ACD_CHECK_REFUSE, /* a topic's settings would lose data: not to be started with */
};

/* Looks the own topics up: they must exist, the changelog must be compacted and the commands not, it must not
 * have more partitions than they have, and those that are written must take messages of ACD_MESSAGE_MAX
 * bytes. Tells all that is wrong. `embedded`: the broker cannot tell a topic's settings and is not asked; one
 * that does not answer is believed. `out` is filled as far as it is known. */
void acd_topics_examine(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                        struct acd_findings *findings);

/* The same; `error` is the first of the worst that was found. */
enum acd_check acd_topics_check(struct acd_topics *topics, bool embedded, struct acd_own_topics *out,
                                char *error, size_t error_bytes);

#endif
