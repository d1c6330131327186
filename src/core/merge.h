/* merge.h: a change carried out on an account. Private to the core. */
#ifndef ACCOUNTD_CORE_MERGE_H
#define ACCOUNTD_CORE_MERGE_H

#include "accountd/command.h"

enum acd_merged {
    ACD_MERGED_SAME, /* nothing differs */
    ACD_MERGED_CHANGED,
    ACD_MERGED_TOO_MANY, /* more than ACD_CUSTOM_MAX custom fields: the account is not to be used */
};

/* Carries out a change (NULL: none) on an account that nobody else sees yet, key by key as RFC 7396. Leaves
 * revision and times alone. What it keeps of the change it borrows. */
enum acd_merged acd_merge(struct acd_arena *arena, struct acd_account *account,
                          const struct acd_change *change);

#endif
