/* reading.h: the parts of acd_command_read. Private to the core.
 *
 * First scan: one walk over the message in its own order, which finds the members that are known and blames
 * those that are not. Then checks: one after the other in the order of the contract's table, each on the
 * members that the scan found.
 */
#ifndef ACCOUNTD_CORE_READING_H
#define ACCOUNTD_CORE_READING_H

#include "accountd/command.h"
#include "blame.h"

#define ACD_IN(op)    (1U << (op))
#define ACD_IN_CHANGE (ACD_IN(ACD_CREATE) | ACD_IN(ACD_EDIT) | ACD_IN(ACD_DELETE))
#define ACD_IN_NAMED  (ACD_IN_CHANGE | ACD_IN(ACD_GET) | ACD_IN(ACD_EXPORT))
#define ACD_IN_ALL    (ACD_IN_NAMED | ACD_IN(ACD_LIST))

/* The members of a command in the contract's order, and whose they are. X(identifier, name, ops) */
#define ACD_MEMBERS(X)                                                                                       \
    X(V, "v", ACD_IN_ALL)                                                                                    \
    X(ID, "id", ACD_IN_ALL)                                                                                  \
    X(OP, "op", ACD_IN_ALL)                                                                                  \
    X(APP, "app", ACD_IN_ALL)                                                                                \
    X(ACCOUNT, "account", ACD_IN_NAMED)                                                                      \
    X(ACCOUNTS, "accounts", ACD_IN_NAMED)                                                                    \
    X(TYPE, "type", ACD_IN(ACD_CREATE) | ACD_IN(ACD_EDIT) | ACD_IN(ACD_EXPORT))                              \
    X(PROFILE, "profile", ACD_IN(ACD_CREATE) | ACD_IN(ACD_EDIT))                                             \
    X(IF_REVISION, "if_revision", ACD_IN(ACD_EDIT) | ACD_IN(ACD_DELETE))                                     \
    X(ON_EXISTS, "on_exists", ACD_IN(ACD_CREATE))                                                            \
    X(CONFIRM, "confirm", ACD_IN(ACD_DELETE))                                                                \
    X(DRY_RUN, "dry_run", ACD_IN_CHANGE)                                                                     \
    X(LIMIT, "limit", ACD_IN(ACD_LIST))                                                                      \
    X(AFTER, "after", ACD_IN(ACD_LIST))                                                                      \
    X(EVERY, "all", ACD_IN(ACD_EXPORT))                                                                      \
    X(FORMAT, "format", ACD_IN(ACD_EXPORT))                                                                  \
    X(FIELDS, "fields", ACD_IN(ACD_EXPORT))                                                                  \
    X(COMPRESSION, "compression", ACD_IN(ACD_EXPORT))                                                        \
    X(CREATED_AFTER, "created_after", ACD_IN(ACD_EXPORT))                                                    \
    X(CREATED_BEFORE, "created_before", ACD_IN(ACD_EXPORT))                                                  \
    X(UPDATED_AFTER, "updated_after", ACD_IN(ACD_EXPORT))

enum acd_member_id {
#define X(id, name, ops) ACD_MEMBER_##id,
    ACD_MEMBERS(X)
#undef X
        ACD_MEMBER_COUNT
};

/* The member's name. */
struct acd_slice acd_member_name(enum acd_member_id member);

/* The known members of a command or of an entry of `accounts`. NULL: absent, or null. */
struct acd_found {
    const struct acd_value *at[ACD_MEMBER_COUNT];
};

/* A profile's `custom` stands behind its fields. */
#define ACD_PROFILE_CUSTOM ACD_FIELD_COUNT
#define ACD_PROFILE_COUNT  (ACD_FIELD_COUNT + 1)

/* The known members of a profile. NULL: absent; null says something here. */
struct acd_found_profile {
    const struct acd_value *at[ACD_PROFILE_COUNT];
};

/* An entry of `accounts`. */
struct acd_found_entry {
    const struct acd_value *value;
    struct acd_found members; /* of a map */
    struct acd_found_profile profile;
};

/* What the scan found. */
struct acd_scan {
    struct acd_found root;
    struct acd_found_profile profile;
    struct acd_found_entry *entries; /* of `accounts`, when there are not more than may be */
    uint32_t entry_count;
    bool entry_with_profile;       /* there is one */
    int64_t entry_without_profile; /* the first; -1: none */
    int64_t entry_without_account; /* the first; -1: none */
};

/* A command being read. */
struct acd_reading {
    struct acd_blame blame;
    struct acd_arena *arena;
    const struct acd_policy *policy;
    struct acd_command *command;
    struct acd_scan scan;
};

static inline const struct acd_value *acd_reading_root(const struct acd_reading *reading,
                                                       enum acd_member_id member)
{
    return reading->scan.root.at[member];
}

/* The op that a text names, or ACD_OP_NONE. */
enum acd_op acd_op_find(struct acd_slice text);

/* command_scan.c: fills in `scan` and blames unknown fields. The command's op is known, or nothing can be
 * blamed. */
void acd_scan_message(struct acd_reading *reading, const struct acd_value *message);

/* command_profile.c: checks a profile and makes it a change in the arena. `value` is the profile itself. */
const struct acd_change *acd_read_profile(struct acd_reading *reading, const struct acd_path *path,
                                          const struct acd_value *value,
                                          const struct acd_found_profile *found);

/* command_accounts.c: the accounts that the command names, into the command's targets. The first pass reads
 * account and accounts, the second, after type, profile and if_revision, fills in what entries lack. */
void acd_read_accounts(struct acd_reading *reading, struct acd_target **targets);
void acd_read_shared(struct acd_reading *reading, struct acd_target *targets);

/* command_options.c: blames a member that chooses among all accounts where not all are asked for. */
void acd_blame_unless_every(struct acd_reading *reading, enum acd_member_id member);

/* What follows in the table. */
void acd_read_options(struct acd_reading *reading);

#endif
