/* reach.h: how far a consumer has come in each partition, which is further than its last record: ends of
 * transactions, and all that was aborted, take offsets, too, and never come. */
#ifndef ACCOUNTD_KAFKA_REACH_H
#define ACCOUNTD_KAFKA_REACH_H

#include <stdint.h>

struct acd_reach {
    struct acd_reached *partitions;
    int32_t count;
};

/* A record was given away. Without memory nothing is noted. */
void acd_reach_record(struct acd_reach *reach, int32_t partition, int64_t offset);

/* All that is readable before the offset was given away. */
void acd_reach_end(struct acd_reach *reach, int32_t partition, int64_t offset);

/* Where the next record behind those before `next` can stand: `next`, or behind what is known to be none. */
int64_t acd_reach_next(const struct acd_reach *reach, int32_t partition, int64_t next);

/* Records are read from other places from now on. */
void acd_reach_forget(struct acd_reach *reach);

#endif
