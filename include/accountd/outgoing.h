/* outgoing.h: a message that accountd publishes, and a batch of them as bytes for the outbox.
 *
 * What a batch publishes is kept in Redis, word for word, from the commit until it is published: a worker
 * that takes over sends the very same bytes. Everything borrows from the batch's arena.
 */
#ifndef ACCOUNTD_OUTGOING_H
#define ACCOUNTD_OUTGOING_H

#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/slice.h"

struct acd_header {
    struct acd_slice name;
    struct acd_slice value; /* data NULL: null */
};

/* What Kafka adds to a header at most: two lengths of up to five bytes. */
#define ACD_HEADER_OVERHEAD 10

#define ACD_ANY_PARTITION   (-1) /* the producer chooses by the key */

struct acd_outgoing {
    struct acd_slice topic;
    int32_t partition;
    int64_t timestamp_ms;   /* 0: the time of sending */
    struct acd_slice key;   /* data NULL: none */
    struct acd_slice value; /* never null */
    const struct acd_header *headers;
    uint32_t header_count;
};

/* A list that grows in the arena. */
struct acd_outgoing_list {
    struct acd_outgoing *items;
    uint32_t count;
    uint32_t capacity;
    size_t bytes; /* of keys, values and headers */
};

/* Of key, value, and names and values of headers. */
size_t acd_outgoing_bytes(const struct acd_outgoing *message);

/* Makes room for so many more. */
void acd_outgoing_reserve(struct acd_arena *arena, struct acd_outgoing_list *list, uint32_t more);

void acd_outgoing_add(struct acd_arena *arena, struct acd_outgoing_list *list,
                      const struct acd_outgoing *message);

/* Adds all messages of another list; what they point to is not copied. */
void acd_outgoing_join(struct acd_arena *arena, struct acd_outgoing_list *list,
                       const struct acd_outgoing_list *more);

struct acd_slice acd_outbox_encode(struct acd_arena *arena, const struct acd_outgoing_list *list);

/* Returns 0, or -1 when the bytes are no outbox. Messages borrow from the bytes and the arena. */
int acd_outbox_decode(struct acd_arena *arena, struct acd_slice bytes, struct acd_outgoing_list *out)
    __attribute__((warn_unused_result));

#endif
