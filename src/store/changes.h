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

void acd_changes_init(struct acd_changes *changes, struct acd_arena *arena);

/* True when the account was made since: there was none, or it was deleted and made anew. */
bool acd_changes_made(const struct acd_account *old, const struct acd_account *now);

/* Adds the number of a shape, and what commit.lua wants of an account of that kind. Nothing differs when both
 * are the same pointer. */
void acd_changes_account(struct acd_changes *changes, int32_t partition, const char *kind, const char *admin,
                         const struct acd_account *old, const struct acd_account *now);

#endif
