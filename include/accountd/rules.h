/* rules.h: what a reload of the settings can change, as one value that never changes.
 *
 * The daemon makes new rules and puts them into the book; each worker takes those that are in it between two
 * batches, so that a decision sees all of one reload or nothing of it. Rules are freed when the book has
 * others and the last worker has given them back.
 */
#ifndef ACCOUNTD_RULES_H
#define ACCOUNTD_RULES_H

#include <pthread.h>

#include "accountd/command.h"
#include "accountd/keyring.h"
#include "accountd/routing.h"
#include "accountd/settings.h"
#include "accountd/topics.h"

struct acd_rules {
    const struct acd_settings *settings; /* what cannot be reloaded is the same in all rules */
    struct acd_policy policy;
    struct acd_router *router;         /* NULL until the topics are known */
    const struct acd_keyring *keyring; /* NULL: signatures are not looked at */

    /* Private to rules.c. */
    struct acd_settings own;
    struct acd_slice *apps;
    struct acd_keyring *keys;
    unsigned holders;
};

/* Rules of settings that outlive them. Returns NULL without memory. */
struct acd_rules *acd_rules_new(const struct acd_settings *settings);

/* Rules that take the settings over and leave *settings empty. Returns NULL without memory; the settings are
 * the caller's then. */
struct acd_rules *acd_rules_take_over(struct acd_settings *settings);

/* Makes the router; before any worker sees the rules. Returns 0, or -1 without memory. */
int acd_rules_route(struct acd_rules *rules, const struct acd_own_topics *own, struct acd_topics *topics)
    __attribute__((warn_unused_result));

/* Takes the keyring over; before any worker sees the rules. NULL: none. */
void acd_rules_keys(struct acd_rules *rules, struct acd_keyring *keyring);

/* Rules that are in no book; NULL is accepted. */
void acd_rules_free(struct acd_rules *rules);

struct acd_rulebook {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct acd_rules *present;
    unsigned outdated; /* rules that are not present any more, and are still held */
};

void acd_rulebook_init(struct acd_rulebook *book);

/* Ends the book and the rules in it, which nobody holds any more. */
void acd_rulebook_destroy(struct acd_rulebook *book);

/* Makes these the present rules; they are the book's from here on. */
void acd_rulebook_put(struct acd_rulebook *book, struct acd_rules *rules);

/* Gives `held` back (NULL: none) and takes the present rules. From any thread. */
const struct acd_rules *acd_rulebook_take(struct acd_rulebook *book, const struct acd_rules *held);

/* From any thread; NULL is accepted. */
void acd_rulebook_give_back(struct acd_rulebook *book, const struct acd_rules *held);

/* Waits until nobody holds outdated rules, for so long at most. Returns whether that is so. */
bool acd_rulebook_settle(struct acd_rulebook *book, int timeout_ms);

#endif
