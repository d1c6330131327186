/* post.h: commands posted in transactions, and the replies to them.
 *
 * All that is posted in one go is there or is not. Whoever opens the same transactional id ends what another
 * one has open and fences it: afterwards the command topic tells which commands are there, once and for all.
 *
 * Errors: functions write what went wrong to stderr and return how accountctl is to end.
 */
#ifndef ACCOUNTD_CTL_IMPORT_POST_H
#define ACCOUNTD_CTL_IMPORT_POST_H

#include <librdkafka/rdkafka.h>

#include "../link.h"
#include "accountd/arena.h"
#include "accountd/slice.h"

/* A command, whose id is its correlation id, too. */
struct acd_ctl_command_post {
    const char *id;
    struct acd_slice key;
    struct acd_slice value;
    int32_t partition;
};

/* Offsets by partition. Nothing that one waits for lies before. */
struct acd_ctl_places {
    int32_t count;
    int64_t *offsets; /* owned */
};

struct acd_ctl_poster {
    struct acd_ctl_link link;
    rd_kafka_t *reader;
    rd_kafka_t *producer;
    rd_kafka_queue_t *queue;
    struct acd_ctl_places commands; /* behind what was posted */
    struct acd_ctl_places replies;  /* behind what was read */
    char *cluster;
};

/* Looks the topics up, and reads the replies from now on. Close `post` in any case; it must not move. */
enum acd_ctl_exit acd_ctl_poster_open(struct acd_ctl_poster *post, const struct acd_settings *settings,
                                      const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Makes the producer. */
enum acd_ctl_exit acd_ctl_poster_begin(struct acd_ctl_poster *post, const char *transactional_id)
    __attribute__((warn_unused_result));

/* Goes back to places of an earlier process, where the topics still have them. */
enum acd_ctl_exit acd_ctl_poster_return(struct acd_ctl_poster *post, const struct acd_ctl_places *commands,
                                        const struct acd_ctl_places *replies)
    __attribute__((warn_unused_result));

/* Begins to read replies. */
enum acd_ctl_exit acd_ctl_poster_listen(struct acd_ctl_poster *post) __attribute__((warn_unused_result));

/* Called with the correlation id of each command that is there from post->commands on. */
typedef void acd_ctl_found(void *context, struct acd_slice id);

enum acd_ctl_exit acd_ctl_poster_find(struct acd_ctl_poster *post, acd_ctl_found *found, void *context)
    __attribute__((warn_unused_result));

/* Posts commands as one transaction. */
enum acd_ctl_exit acd_ctl_poster_all(struct acd_ctl_poster *post, struct acd_arena *arena,
                                     const struct acd_ctl_command_post *commands, uint32_t count)
    __attribute__((warn_unused_result));

/* The next message of the reply topic, or NULL when none came in time; the caller destroys it. */
rd_kafka_message_t *acd_ctl_poster_reply(struct acd_ctl_poster *post, int timeout_ms);

/* The partition that the clients of Kafka's own choose for a key. */
int32_t acd_ctl_partition_of(struct acd_slice key, int32_t partitions);

void acd_ctl_poster_close(struct acd_ctl_poster *post);

/* A copy that the caller frees; `out->offsets` is NULL without memory. */
struct acd_ctl_places acd_ctl_places_copy(const struct acd_ctl_places *places);

#endif
