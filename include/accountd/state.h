/* state.h: the accounts that a batch looks at, as they are while it is decided.
 *
 * The worker asks for an entry per account that a command names, loads those that are new (from its cache
 * or from Redis), and only then lets commands be decided: deciding never waits. Afterwards the difference
 * between `base` and `current` is what the batch writes, and every entry, written or only looked at, is
 * compared with Redis by the commit.
 *
 * All memory is the batch's arena. Entries are found by a hash table and kept in the order of first use.
 */
#ifndef ACCOUNTD_STATE_H
#define ACCOUNTD_STATE_H

#include "accountd/account.h"
#include "accountd/arena.h"
#include "accountd/command.h"

#define ACD_NO_PARTITION (-1)
#define ACD_APP_BUCKETS  256 /* a power of two; a batch rarely sees more apps than this */

struct acd_entry;

struct acd_app {
    struct acd_slice name;
    struct acd_entry *entries; /* of this app, newest first */
    bool admins_wanted;        /* a decision may look at the admin set, so that it is to be loaded */
    int64_t admins_base;       /* members of the admin set as loaded; -1: not loaded */
    int64_t admins;            /* … after the commands decided so far */
    bool admins_touched;       /* a decision looked at or changed it */
    int32_t partition;         /* whose commands touch the admin set in this batch, or ACD_NO_PARTITION */
    struct acd_app *next;      /* in the order of first use */
    struct acd_app *chain;     /* in the same bucket */
};

struct acd_entry {
    struct acd_app *app;
    struct acd_slice name;
    uint64_t hash;
    int32_t partition;                 /* whose commands touch it in this batch */
    const struct acd_account *base;    /* as loaded; NULL: not loaded yet */
    const struct acd_account *current; /* after the commands decided so far */
    struct acd_entry *next;            /* in the order of first use */
    struct acd_entry *chain;           /* in the same bucket */
    struct acd_entry *next_in_app;
    bool wanted;  /* a command that was taken into the batch names it */
    bool fresh;   /* the first of them creates it, so most likely there is no such account */
    bool cached;  /* the base is the cache's */
    bool touched; /* a decision looked at it or changed it */
};

struct acd_state {
    struct acd_arena *arena;
    struct acd_app *apps; /* in the order of first use */
    struct acd_app **apps_tail;
    struct acd_app *app_buckets[ACD_APP_BUCKETS];
    struct acd_entry *entries; /* in the order of first use */
    struct acd_entry **entries_tail;
    size_t entry_count;
    struct acd_entry **buckets;
    size_t bucket_count; /* a power of two */
};

void acd_state_init(struct acd_state *state, struct acd_arena *arena, size_t expected_entries);

/* The entry, made (not loaded, of no partition) when it is new. Copies neither name: both must live as long
 * as the arena. */
struct acd_entry *acd_state_entry(struct acd_state *state, struct acd_slice app, struct acd_slice name);

/* The entries of a command's targets, in their order, made where they are new; the array is the arena's. */
struct acd_entry **acd_state_entries(struct acd_state *state, const struct acd_command *command);

/* The entry, or NULL. */
struct acd_entry *acd_state_find(const struct acd_state *state, struct acd_slice app, struct acd_slice name);

/* True when the batch makes an account where there was none, and none was deleted. */
static inline bool acd_entry_is_new(const struct acd_entry *entry)
{
    return !entry->base->exists && entry->base->revision == 0 && entry->current->exists;
}

/* True when the decisions did nothing else than to make accounts of which none was there before. To be asked
 * before the commit: what was loaded may be the cache's. */
bool acd_state_only_new(const struct acd_state *state);

/* The app, made (not loaded) when it is new. */
struct acd_app *acd_state_app(struct acd_state *state, struct acd_slice app);

/* The hash that the table uses, the same for the same names in any process of this build: the cache
 * uses it too. */
uint64_t acd_state_hash(struct acd_slice app, struct acd_slice name);

#endif
