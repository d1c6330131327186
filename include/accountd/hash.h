/* hash.h: a hash for tables in memory; the same for the same texts in any process of this build. */
#ifndef ACCOUNTD_HASH_H
#define ACCOUNTD_HASH_H

#include <stdint.h>
#include <string.h>

#include "accountd/slice.h"

/* One multiplication for eight bytes, folded so that every bit reaches the low ones. */
static inline uint64_t acd_hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* The length goes in first, so that bytes cannot move from one text to the next unseen. */
static inline uint64_t acd_hash_text(uint64_t hash, struct acd_slice text)
{
    hash = acd_hash_mix(hash, text.len);
    while (text.len) {
        size_t len = text.len < sizeof(uint64_t) ? text.len : sizeof(uint64_t);
        uint64_t word = 0;

        memcpy(&word, text.data, len);
        hash = acd_hash_mix(hash, word);
        text.data += len;
        text.len -= len;
    }
    return hash;
}

static inline uint64_t acd_hash_finish(uint64_t hash)
{
    hash = (hash ^ hash >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

#endif
