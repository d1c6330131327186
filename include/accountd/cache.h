/* cache.h: recently used accounts, bounded, one cache a worker.
 *
 * The cache may be wrong: another worker may have changed an account since. The commit compares revisions, so
 * a wrong entry costs a second try and is dropped; it never leads to a wrong decision. It must be cleared
 * whenever the incarnation of Redis changes, because revisions are unique within one incarnation only.
 */
#ifndef ACCOUNTD_CACHE_H
#define ACCOUNTD_CACHE_H

#include "accountd/account.h"

struct acd_cache;

/* Returns NULL without memory. */
struct acd_cache *acd_cache_new(size_t bytes);

/* NULL is accepted. */
void acd_cache_free(struct acd_cache *cache);

/* The account, or NULL. It is the cache's, valid until the next put, drop or clear. `hash` is
 * acd_state_hash's. */
const struct acd_account *acd_cache_get(struct acd_cache *cache, uint64_t hash, struct acd_slice app,
                                        struct acd_slice name);

/* Keeps a copy, in place of an older one; drops what was used longest ago where room is needed. Without
 * memory the account is just not kept. */
void acd_cache_put(struct acd_cache *cache, uint64_t hash, struct acd_slice app, struct acd_slice name,
                   const struct acd_account *account);

void acd_cache_drop(struct acd_cache *cache, uint64_t hash, struct acd_slice app, struct acd_slice name);

/* Drops what was used longest ago, down to the cache's size. */
void acd_cache_trim(struct acd_cache *cache);

void acd_cache_clear(struct acd_cache *cache);

#endif
