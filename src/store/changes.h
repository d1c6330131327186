/* changes.h: what accounts become, as the arguments of a function: the fields that differ. Private to the
 * store. */
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

/* Adds the number of a shape and the values of the fields that differ, or the revision of a deletion. Nothing
 * differs when both are the same pointer. */
void acd_changes_account(struct acd_changes *changes, int32_t partition, const char *kind, const char *admin,
                         const struct acd_account *old, const struct acd_account *now);

#endif
