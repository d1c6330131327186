/* census.h: which accounts a recovery has seen in the changelog, and at which revision.
 *
 * Several partitions may hold a record of one account, and a partition several; the one with the highest
 * revision counts. The census also tells afterwards which hashes in Redis belong to no account. Some 50 bytes
 * an account, in the arena.
 */
#ifndef ACCOUNTD_CENSUS_H
#define ACCOUNTD_CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/arena.h"
#include "accountd/slice.h"

struct acd_citizen {
    int64_t revision; /* 0: just added */
    uint32_t load;    /* the caller's: where it put the account last */
    uint32_t slot;
    bool exists; /* false: deleted */
    uint8_t app_len;
    uint8_t name_len;
    char text[]; /* app, then name */
};

struct acd_census {
    struct acd_arena *arena;
    struct acd_citizen **table;
    size_t capacity; /* a power of two */
    size_t count;
};

void acd_census_init(struct acd_census *census, struct acd_arena *arena);

/* The account's entry, added when it is new. NULL when a name is longer than any account's can be. */
struct acd_citizen *acd_census_take(struct acd_census *census, struct acd_slice app, struct acd_slice name);

/* The account's entry, or NULL. */
struct acd_citizen *acd_census_find(const struct acd_census *census, struct acd_slice app,
                                    struct acd_slice name);

#endif
