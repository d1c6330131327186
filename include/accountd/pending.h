/* pending.h: what was applied for a partition and is not answered yet, as Redis holds it.
 *
 * Errors: those of the store; its connection has the words.
 */
#ifndef ACCOUNTD_PENDING_H
#define ACCOUNTD_PENDING_H

#include "accountd/position.h"
#include "accountd/store.h"

struct acd_pending {
    enum acd_standing standing;
    struct acd_slice outboxes[ACD_RUN_MAX]; /* to be published, in this order; the arena's */
    uint32_t count;                         /* PENDING: 0 where they are gone */
    int64_t from;                           /* offset of the first one's first record, where there is one */
};

/* Compares a partition's marker, which was read from `text`, with what is committed, and fetches what is to
 * be answered. `marker` is NULL when Redis has none. */
enum acd_store acd_pending_read(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                const struct acd_committed *committed, struct acd_slice text,
                                const struct acd_marker *marker, struct acd_pending *out)
    __attribute__((warn_unused_result));

#endif
