/* consumer.h: one member of the consumer group, reading the command topic.
 *
 * A consumer belongs to one thread. It never commits by itself: offsets travel in the producer's
 * transactions. It fetches nothing after an assignment until acd_consumer_start says where from.
 *
 * Errors: functions that can fail return -1 and leave the reason in acd_consumer_error; all of them may be
 * tried again.
 */
#ifndef ACCOUNTD_CONSUMER_H
#define ACCOUNTD_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/outgoing.h"
#include "accountd/position.h"
#include "accountd/settings.h"

struct acd_consumer;

/* The group metadata of one generation, captured in the rebalance callback. A transaction that carries it is
 * refused by the broker as soon as the group has moved on, and that is what fences a worker that slept. */
struct acd_group;

/* A record of the command topic. Key and value stay valid until acd_record_release. */
struct acd_record {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct acd_slice key;   /* data NULL: none */
    struct acd_slice value; /* data NULL: null */
    void *message;
};

#define ACD_OFFSET_BEGINNING (-2)

struct acd_position {
    int32_t partition;
    int64_t offset; /* to fetch from, or ACD_OFFSET_BEGINNING */
};

enum acd_poll {
    ACD_POLL_NOTHING,
    ACD_POLL_RECORD,       /* `record` is filled in and must be released */
    ACD_POLL_OUT_OF_RANGE, /* the log of record->partition does not hold the offset to fetch from */
    ACD_POLL_ASTRAY, /* record->partition has an error: after a pause the next record may be passed over */
};

/* Whether librdkafka makes a consumer of the properties, which may not go together. Connects to nobody for
 * it. Returns 0, or -1 with the reason in `error`. */
int acd_consumer_check(const struct acd_settings *settings, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* Joins the group. Returns NULL with the reason in `error`. */
struct acd_consumer *acd_consumer_open(const struct acd_settings *settings, char *error, size_t error_bytes);

/* Leaves the group; NULL is accepted. All records must have been released. */
void acd_consumer_close(struct acd_consumer *consumer);

/* Leaves the group and joins it anew as another member, so that its generation grows: from the next
 * assignment on, nothing that any worker decided before can be published. Until then there is none. All
 * records must have been released. */
int acd_consumer_rejoin(struct acd_consumer *consumer) __attribute__((warn_unused_result));

const char *acd_consumer_error(const struct acd_consumer *consumer);

/* What keeps this worker out of the group, as far as the cluster has said so; else empty. */
const char *acd_consumer_trouble(const struct acd_consumer *consumer);

/* Waits at most timeout_ms for a record. Rebalances are handled inside; the caller sees that
 * acd_consumer_epoch has changed, and must then drop whatever it read before. */
enum acd_poll acd_consumer_poll(struct acd_consumer *consumer, int timeout_ms, struct acd_record *record);

void acd_record_release(struct acd_record *record);

/* The record's headers, in its order, in the arena; values borrow from the record. Returns 0, or -1 when they
 * cannot be read (librdkafka takes no more than 100,000). */
int acd_record_headers(const struct acd_record *record, struct acd_arena *arena,
                       const struct acd_header **headers, uint32_t *count)
    __attribute__((warn_unused_result));

/* Counts assignments and revocations. */
uint64_t acd_consumer_epoch(const struct acd_consumer *consumer);

/* The partitions assigned at present; the consumer's, valid until the next poll. */
uint32_t acd_consumer_assigned(const struct acd_consumer *consumer, const int32_t **partitions);

/* The group metadata of the present assignment, or NULL when there is none. Valid until the next poll. */
const struct acd_group *acd_consumer_group(const struct acd_consumer *consumer);

/* Fetches from exactly these partitions and offsets from now on. */
int acd_consumer_start(struct acd_consumer *consumer, const struct acd_position *positions, uint32_t count)
    __attribute__((warn_unused_result));

/* Stops or resumes fetching of all; polling must go on, or the group throws this member out. */
void acd_consumer_pause(struct acd_consumer *consumer, bool pause);

/* What the group has committed for these partitions of the command topic, waiting for transactions that are
 * still open (a stable fetch). Metadata is copied to the arena. */
int acd_consumer_committed(struct acd_consumer *consumer, struct acd_arena *arena, const int32_t *partitions,
                           uint32_t count, struct acd_committed *out) __attribute__((warn_unused_result));

/* The offset to commit for one partition of the command topic. */
struct acd_offset {
    int32_t partition;
    int64_t next;
    struct acd_slice token;
};

/* Commits outside of a transaction. For the embedded broker only: it forgets the offsets of transactions. */
int acd_consumer_commit(struct acd_consumer *consumer, const struct acd_offset *offsets, uint32_t count)
    __attribute__((warn_unused_result));

/* How many partitions the command topic has, asked at this moment. */
int acd_consumer_partitions(struct acd_consumer *consumer, int32_t *out) __attribute__((warn_unused_result));

/* First offset and end of a partition's log, as of the last fetch: nobody is asked. False before the first.
 */
bool acd_consumer_known_bounds(const struct acd_consumer *consumer, int32_t partition, int64_t *first,
                               int64_t *end);

/* First offset and end of a partition's log. */
int acd_consumer_bounds(struct acd_consumer *consumer, int32_t partition, int64_t *first, int64_t *end)
    __attribute__((warn_unused_result));

/* The announcement: metadata of the group's offset of partition 0 of the changelog topic. Reading is stable
 * as above; out->exists is false when nobody has announced anything. */
int acd_consumer_announced(struct acd_consumer *consumer, struct acd_arena *arena, struct acd_committed *out)
    __attribute__((warn_unused_result));
int acd_consumer_announce(struct acd_consumer *consumer, struct acd_slice metadata)
    __attribute__((warn_unused_result));

#endif
