/* position.h: where a partition stands in Redis and in Kafka, and what the difference means.
 *
 * Redis keeps a *marker* a partition: which batch was applied last. Kafka keeps the committed offset, and in
 * its metadata a *token*: which batch was answered last. Comparing the two at assignment tells everything
 * that a crash may have left behind. Batches of a run have their markers beside their outboxes, and each
 * names the one before: where the token fits one of these, the rest of the run is pending. Pure; text is the
 * arena's.
 */
#ifndef ACCOUNTD_POSITION_H
#define ACCOUNTD_POSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/slice.h"

/* A random number a batch, in hex, with its NUL. */
#define ACD_NONCE_BYTES 17

/* Stands for "no batch": what the first batch of a partition has before it. */
#define ACD_NO_NONCE "-"

/* A run: batches of one partition that are applied one after the other and answered in one transaction, at
 * most. commit.lua has the number, too. */
#define ACD_RUN_MAX 8

struct acd_marker {
    int64_t from;                      /* offset of the batch's first record, or of the one asked for */
    int64_t next;                      /* offset that the batch after it starts from */
    int64_t last;                      /* offset of the batch's last record */
    int64_t step;                      /* batches of its run before it, below ACD_RUN_MAX */
    char nonce[ACD_NONCE_BYTES];       /* of this batch */
    char before[ACD_NONCE_BYTES];      /* of the batch before, or ACD_NO_NONCE */
    char fingerprint[ACD_NONCE_BYTES]; /* of the last record: tells a topic that was made anew */
    struct acd_slice origin;           /* cluster, group, topic and partition, in one text */
};

/* The marker as Redis holds it; compared byte for byte. */
struct acd_slice acd_marker_format(struct acd_arena *arena, const struct acd_marker *marker);

/* False when the text is no marker of this version. The origin borrows from it. */
bool acd_marker_parse(struct acd_slice text, struct acd_marker *out);

/* Cluster id, group and topic as one text without newlines: whose accounts a Redis holds. */
struct acd_slice acd_deployment_format(struct acd_arena *arena, struct acd_slice cluster,
                                       struct acd_slice group, struct acd_slice topic);

/* The same with a partition. */
struct acd_slice acd_origin_format(struct acd_arena *arena, struct acd_slice cluster, struct acd_slice group,
                                   struct acd_slice topic, int32_t partition);

/* Hash of a record in hex. */
void acd_fingerprint(struct acd_slice key, struct acd_slice value, int64_t timestamp_ms,
                     char out[ACD_NONCE_BYTES]);

struct acd_token {
    char nonce[ACD_NONCE_BYTES]; /* of the batch that was answered */
    int64_t changelog_end;       /* the partition's changelog ends here or later */
    int64_t floor_ms;            /* signed commands from before it do not count any more; 0: none is known */
};

struct acd_slice acd_token_format(struct acd_arena *arena, const struct acd_token *token);

/* False when the metadata is no token of this version: somebody else set the offset. */
bool acd_token_parse(struct acd_slice text, struct acd_token *out);

/* What Kafka has for a partition. */
struct acd_committed {
    bool exists;
    int64_t offset;
    struct acd_slice metadata;
};

enum acd_standing {
    ACD_STANDING_CLEAN,   /* every applied batch was answered: go on */
    ACD_STANDING_PENDING, /* the last batch was applied, not answered: answer it from the outbox */
    ACD_STANDING_FOREIGN, /* the offset was set by somebody else: halt until an operator accepts it */
    ACD_STANDING_LOST,    /* Redis has lost or mixed its memory, or the marker is another deployment's */
};

/* The assignment table. `marker` is NULL when Redis has none. */
enum acd_standing acd_standing(const struct acd_committed *committed, const struct acd_marker *marker);

#endif
