/* apply.h: the decision. apply(state, command) → new state and answer.
 *
 * Pure and total: no clock (the time is the record's), no I/O, no randomness; every command that was read
 * gets an answer. Deciding a batch is a fold of acd_apply over its commands in the order of their offsets.
 */
#ifndef ACCOUNTD_APPLY_H
#define ACCOUNTD_APPLY_H

#include "accountd/command.h"
#include "accountd/state.h"

/* What became of one account of a command. */
struct acd_outcome {
    struct acd_slice account;
    struct acd_refusal refusal;       /* code ACD_OK: done */
    int64_t revision;                 /* after it; create, edit, delete */
    bool changed;                     /* create, edit, delete */
    const struct acd_account *record; /* get, export: the version it is true of; NULL: refused */
};

enum acd_status { ACD_STATUS_OK, ACD_STATUS_PARTIAL, ACD_STATUS_ERROR };

const char *acd_status_text(enum acd_status status);

/* One row of a list, as the index gave it. */
struct acd_row {
    struct acd_slice account;
    const struct acd_account *record;
};

/* The answer to one command. */
struct acd_answer {
    enum acd_status status;
    struct acd_refusal refusal; /* of the whole command; with ACD_STATUS_ERROR its first outcome's */
    const struct acd_outcome *outcomes;
    uint32_t outcome_count;
    uint32_t ok_count;

    const struct acd_row *rows; /* list */
    uint32_t row_count;
    int64_t total; /* list: accounts of the app */
    bool more;     /* list: there are rows after these */
};

/* `entries` are those of the command's targets (acd_state_entries). They must be loaded, and the app's admin
 * count where acd_apply_needs_admins says so. */
struct acd_answer acd_apply(struct acd_arena *arena, const struct acd_command *command,
                            struct acd_entry *const *entries, const struct acd_policy *policy,
                            int64_t now_ms);

/* True when the decision may look at or change the app's admin set: an admin is created, or an account is
 * deleted that is one. The entries must be loaded. */
bool acd_apply_needs_admins(const struct acd_command *command, struct acd_entry *const *entries);

/* The answer to a command that was refused as a whole. */
struct acd_answer acd_refuse(struct acd_refusal refusal);

/* A refusal with a formatted message. */
struct acd_refusal acd_refusal(struct acd_arena *arena, enum acd_code code, struct acd_slice field,
                               const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
