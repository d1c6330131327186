/* changes.h: what accounts become, as the arguments of a function: the fields that differ, or all of a new
 * account in one value. Private to the store. */
#ifndef ACCOUNTD_STORE_CHANGES_H
#define ACCOUNTD_STORE_CHANGES_H

#include "accountd/account.h"
#include "shapes.h"

struct acd_changes {
    struct acd_args args; /* the call's, begun by the caller */
    struct acd_shapes shapes;

    struct acd_args fields; /* of one account: name and value by turns */
    struct acd_args gone;   /* … names of fields to remove */
    struct acd_slice *names;
    uint32_t name_capacity;
};

/* An account that there never was before. */
struct acd_newcomer {
    struct acd_slice name;
    const struct acd_account *account;
    int32_t partition; /* whose batch makes it */
    void *owner;       /* the caller's word for it */
};

void acd_changes_init(struct acd_changes *changes, struct acd_arena *arena);

/* Adds new accounts in groups, each of one partition and of admins alone or of none; puts them in that order.
 */
void acd_changes_newcomers(struct acd_changes *changes, struct acd_newcomer *newcomers, uint32_t count);

/* True when the account was made since: there was none, or it was deleted and made anew. */
bool acd_changes_made(const struct acd_account *old, const struct acd_account *now);

/* Adds the number of a shape, and what commit.lua wants of an account of that kind, which is not a newcomer.
 * Nothing differs when both are the same pointer. */
void acd_changes_account(struct acd_changes *changes, int32_t partition, const char *kind, const char *admin,
                         const struct acd_account *old, const struct acd_account *now);

#endif
