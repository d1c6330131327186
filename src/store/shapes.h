/* shapes.h: what a batch does to accounts, without the values.
 *
 * Most accounts of a batch have the same fields set. What is the same for them goes to Redis once, as a
 * shape, and each account sends its number and the values: arguments are what a call of a function costs.
 * Private to the store.
 */
#ifndef ACCOUNTD_STORE_SHAPES_H
#define ACCOUNTD_STORE_SHAPES_H

#include "redis.h"

#define ACD_SHAPE_BUCKETS 256 /* a power of two */

struct acd_shape {
    int32_t partition;
    const char *kind;        /* as commit.lua names them */
    const char *admin;       /* "+" or "-" for the admin set, "" as it is */
    struct acd_slice *names; /* of fields: to set, then to remove */
    uint32_t set_count;
    uint32_t gone_count;

    uint64_t hash;
    uint32_t number;        /* from 1 */
    struct acd_shape *next; /* in the order of first use */
    struct acd_shape *chain;
};

struct acd_shapes {
    struct acd_shape *first;
    struct acd_shape **tail;
    uint32_t count;
    struct acd_shape *buckets[ACD_SHAPE_BUCKETS];
};

void acd_shapes_init(struct acd_shapes *shapes);

/* The number of a shape like this one, which is added when there is none. Copies its names' slices; what they
 * borrow from must live as long as the arena. */
uint32_t acd_shapes_number(struct acd_shapes *shapes, struct acd_arena *arena,
                           const struct acd_shape *wanted);

/* Adds all of them, the first one first, with their count before them. */
void acd_shapes_add(const struct acd_shapes *shapes, struct acd_args *args);

#endif
