/* job.h: the export of a whole app, which goes on after its command's batch.
 *
 * Its command is kept, as it came, until its file is complete: as a record of the changelog, so that a
 * restore brings it back, and in Redis, where who takes the partition over finds it. Both are written by the
 * batch that accepts the command, with its offset. The reply comes with the batch that ends the job. Pure;
 * what is read borrows from the bytes and the arena.
 */
#ifndef ACCOUNTD_JOB_H
#define ACCOUNTD_JOB_H

#include <stdbool.h>

#include "accountd/outgoing.h"

/* Jobs that one partition may have open at once, and bytes that the key, the headers and the value of such a
 * command may have together: all of them go through Redis with each that begins or ends. */
#define ACD_JOBS_MAX      64
#define ACD_JOB_BYTES_MAX ((size_t)16 * 1024)

/* Keys of the changelog that are no account's begin like this; no app's name has a colon. */
#define ACD_JOB_KEY "accountd:export/"

struct acd_job {
    int64_t offset;  /* of the command, which names the job within its partition */
    int64_t attempt; /* from 1 */
    int64_t timestamp_ms;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers;
    uint32_t header_count;
};

/* The job as a message for the changelog. `source` is the command's position in words. */
struct acd_outgoing acd_job_message(struct acd_arena *arena, const struct acd_job *job,
                                    struct acd_slice source, const char *topic, int32_t partition);

/* What takes its place when the job has ended: the same key and no value. */
struct acd_outgoing acd_job_ended(struct acd_arena *arena, int64_t offset, struct acd_slice source,
                                  const char *topic, int32_t partition);

/* True when a record of the changelog with this key is about a job. */
bool acd_job_is(struct acd_slice key);

/* Reads a message that acd_job_message made. False when it is none. */
bool acd_job_read(const struct acd_outgoing *message, struct acd_job *out)
    __attribute__((warn_unused_result));

/* Puts a record of the changelog in place of the one with its key, or takes that one out when it has no
 * value. */
void acd_jobs_follow(struct acd_arena *arena, struct acd_outgoing_list *jobs,
                     const struct acd_outgoing *message);

/* The open jobs of a partition, as Redis holds them: empty for none. */
struct acd_slice acd_jobs_encode(struct acd_arena *arena, const struct acd_outgoing_list *jobs);

/* Returns 0, or -1 when the bytes are no such list. */
int acd_jobs_decode(struct acd_arena *arena, struct acd_slice bytes, struct acd_outgoing_list *out)
    __attribute__((warn_unused_result));

#endif
