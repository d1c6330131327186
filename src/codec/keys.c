/* Whether a map has a key twice. */
#include <stdlib.h>

#include "decode.h"

/* Up to this many members those keys are compared that look alike; of more, all are sorted. */
#define FEW_MEMBERS 32

#define FILTER_BITS 256

/* A bit of the filter for each key. */
static unsigned look(struct acd_slice key)
{
    if (key.len == 0)
        return 0;
    return ((unsigned char)key.data[0] * 5u + (unsigned char)key.data[key.len - 1] * 37u +
            (unsigned)key.len) %
           FILTER_BITS;
}

static bool among(const struct acd_member *members, uint32_t count, struct acd_slice key)
{
    for (uint32_t i = 0; i < count; i++)
        if (acd_slice_equal(members[i].key, key))
            return true;
    return false;
}

static struct acd_slice twice_among_few(const struct acd_member *members, uint32_t count)
{
    uint64_t filter[FILTER_BITS / 64] = {0};

    for (uint32_t i = 0; i < count; i++) {
        unsigned at = look(members[i].key);
        uint64_t bit = UINT64_C(1) << at % 64;

        if (filter[at / 64] & bit && among(members, i, members[i].key))
            return members[i].key;
        filter[at / 64] |= bit;
    }
    return acd_slice(NULL, 0);
}

static int compare_keys(const void *a, const void *b)
{
    return acd_slice_compare(*(const struct acd_slice *)a, *(const struct acd_slice *)b);
}

struct acd_slice acd_key_twice(const struct acd_member *members, uint32_t count, struct acd_arena *arena)
{
    struct acd_slice *keys;

    if (count <= FEW_MEMBERS)
        return twice_among_few(members, count);
    keys = acd_arena_alloc(arena, count * sizeof(*keys));
    for (uint32_t i = 0; i < count; i++)
        keys[i] = members[i].key;
    qsort(keys, count, sizeof(*keys), compare_keys);
    for (uint32_t i = 1; i < count; i++)
        if (acd_slice_equal(keys[i], keys[i - 1]))
            return keys[i];
    return acd_slice(NULL, 0);
}
