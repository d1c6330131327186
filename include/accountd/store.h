/* store.h: the accounts in Redis, as one worker sees them.
 *
 * The commit is one call of a function inside Redis that compares what the decisions were based on and then
 * writes everything, or writes nothing and says why. Keys: see docs/protocol.md.
 *
 * A store belongs to one thread. Answers are copied to the arena that was given.
 */
#ifndef ACCOUNTD_STORE_H
#define ACCOUNTD_STORE_H

#include "accountd/command.h"
#include "accountd/finding.h"
#include "accountd/settings.h"
#include "accountd/state.h"

enum acd_store {
    ACD_STORE_OK,
    ACD_STORE_DOWN,  /* no connection, or it broke: what was sent last may have been done, or yet be done */
    ACD_STORE_LATER, /* Redis does not serve this now (loading, out of memory, read-only…); nothing was done
                      */
    ACD_STORE_HALT,  /* Redis refuses for good (no permission, a key of a wrong type…); nothing was done */
    ACD_STORE_FENCED, /* commit: marker or incarnation is not the expected one */
    ACD_STORE_STALE,  /* commit: an account or admin set is no longer what was read */
    ACD_STORE_BUSY,   /* commit: another partition's unpublished batch wrote one of them */
};

struct acd_store_handle;

/* Whether this build can do what the settings say of TLS. Returns 0, or -1 with the reason in `error`. */
int acd_store_check(const struct acd_settings *settings, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* Does not connect yet. Returns NULL without memory. */
struct acd_store_handle *acd_store_open(const struct acd_settings *settings);

/* NULL is accepted. */
void acd_store_close(struct acd_store_handle *store);

/* What went wrong last. */
const char *acd_store_error(const struct acd_store_handle *store);

/* Connects anew, checks that this Redis may be used (a master, no eviction, no cluster), reads its identity
 * and loads the functions. ACD_STORE_HALT: it may not be used. */
enum acd_store acd_store_connect(struct acd_store_handle *store, struct acd_arena *arena)
    __attribute__((warn_unused_result));

/* Connects once, and tells what would keep this Redis from being used: its version, role and settings, and
 * rights that the user lacks. Changes nothing. */
void acd_store_examine(struct acd_store_handle *store, struct acd_arena *arena,
                       struct acd_findings *findings);

/* Closes the connection, with answers that nobody has read yet. */
void acd_store_disconnect(struct acd_store_handle *store);

bool acd_store_connected(const struct acd_store_handle *store);

/* "RUN_ID REPLICATION_ID" of the Redis that is connected. An incarnation begins with the identity it was made
 * in. */
const char *acd_store_identity(const struct acd_store_handle *store);

/* The incarnation key; absent when there is none. */
enum acd_store acd_store_incarnation(struct acd_store_handle *store, struct acd_arena *arena,
                                     struct acd_slice *out) __attribute__((warn_unused_result));

/* Writes the incarnation into a Redis that has neither one nor any marker. `out` is the one that is there
 * afterwards, empty when markers stand without one, or when all of it is another deployment's. */
enum acd_store acd_store_establish(struct acd_store_handle *store, struct acd_arena *arena,
                                   struct acd_slice incarnation, int32_t partitions,
                                   struct acd_slice deployment, struct acd_slice *out)
    __attribute__((warn_unused_result));

/* The markers of partitions; absent where there is none. */
enum acd_store acd_store_markers(struct acd_store_handle *store, struct acd_arena *arena,
                                 const int32_t *partitions, uint32_t count, struct acd_slice *out)
    __attribute__((warn_unused_result));

/* The messages of a partition's outbox and the marker of their batch; absent where there is none. */
struct acd_stored_outbox {
    struct acd_slice marker;
    struct acd_slice messages;
};

/* That of the last batch, for ACD_OUTBOX_LAST, or of an earlier one of the same run by its step. */
#define ACD_OUTBOX_LAST (-1)
enum acd_store acd_store_outbox(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                int64_t step, struct acd_stored_outbox *out)
    __attribute__((warn_unused_result));

/* The open jobs of a partition, as acd_jobs_encode has them; empty for none. */
enum acd_store acd_store_jobs(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                              struct acd_slice *out) __attribute__((warn_unused_result));

/* Loads every entry of the state that is not loaded, and the sizes of its admin sets. */
enum acd_store acd_store_load(struct acd_store_handle *store, struct acd_arena *arena,
                              struct acd_state *state) __attribute__((warn_unused_result));

/* One page of an app's accounts, by creation. */
struct acd_page {
    struct acd_slice *names;
    int64_t *created_at_ms;
    uint32_t count;
    int64_t total;
    int64_t behind; /* the rank of the account that follows */
    bool more;
};

enum acd_store acd_store_list(struct acd_store_handle *store, struct acd_arena *arena,
                              const struct acd_command *command, struct acd_page *out)
    __attribute__((warn_unused_result));

/* For sweeps, which ask for what comes next before they take what came, so that Redis is never idle: answers
 * come in the order of the questions, each is to be taken once, and nothing else may be asked of the store in
 * between. After a failure nothing more comes. `behind` is that of the page before, or 0: where nothing was
 * deleted since, the command's cursor need not be searched for. */
void acd_store_ask_page(struct acd_store_handle *store, struct acd_arena *arena,
                        const struct acd_command *command, int64_t behind);
enum acd_store acd_store_take_page(struct acd_store_handle *store, struct acd_arena *arena,
                                   struct acd_page *out) __attribute__((warn_unused_result));

/* The accounts of a page, of which each is taken by itself; one that is not there does not exist. */
void acd_store_ask_accounts(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice app,
                            const struct acd_page *page);
enum acd_store acd_store_take_account(struct acd_store_handle *store, struct acd_arena *arena,
                                      const struct acd_account **out) __attribute__((warn_unused_result));

/* The account of an app that was created last; `name` is absent when the app has none. */
enum acd_store acd_store_newest(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice app,
                                int64_t *created_at_ms, struct acd_slice *name)
    __attribute__((warn_unused_result));

/* A signed command, by what makes it the same one: its key's id and its own, or its signature. */
struct acd_spent {
    struct acd_slice id;
    int64_t signed_at_ms;
    int32_t partition;
    bool before; /* it took effect before */
};

/* Looks the commands up. What was signed before the floor may have been forgotten. */
enum acd_store acd_store_spent(struct acd_store_handle *store, struct acd_arena *arena,
                               struct acd_spent *spent, uint32_t count, int64_t *floor_ms)
    __attribute__((warn_unused_result));

/* The signed commands of a batch that take effect, one partition's after another's. */
struct acd_spending {
    const struct acd_spent **spent;
    uint32_t count;
    int32_t partitions; /* of the command topic: the floor is where the slowest one stands */
    int64_t window_ms;  /* … and so much below */
    int64_t ids_max;    /* more are not remembered: then the floor rises */
};

/* What a commit writes for one partition. */
struct acd_commit_part {
    int32_t partition;
    struct acd_slice expected; /* the marker that must be there; empty for none */
    struct acd_slice marker;   /* the new one */
    struct acd_slice outbox;
    struct acd_slice jobs; /* its open jobs from now on, as acd_jobs_encode has them; data NULL: as before */
    bool no_records;       /* the batch only begins or ends jobs */
    uint32_t step;         /* batches of its run before it, which are not answered yet */
};

struct acd_commit {
    struct acd_slice incarnation;
    const struct acd_commit_part *parts;
    uint32_t part_count;
    const struct acd_state *state; /* entries with `touched` are compared, those that differ are written */
    struct acd_spending spending;  /* one that was spent before makes the commit stale */
};

/* Why a commit did nothing. */
struct acd_verdict {
    struct acd_slice fenced_at; /* "incarnation" or a partition's number */
    struct acd_slice present;   /* what is there instead */
    struct acd_entry **entries; /* stale or busy */
    uint32_t entry_count;
    struct acd_app **apps; /* whose admin set is stale or busy */
    uint32_t app_count;
};

enum acd_store acd_store_commit(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_commit *commit, struct acd_verdict *verdict)
    __attribute__((warn_unused_result));

/* Notes that the batches of these markers are published. The answer is not waited for, unless the note before
 * was lost: Redis may be busy with another worker's commit. */
void acd_store_note(struct acd_store_handle *store, struct acd_arena *arena, const int32_t *partitions,
                    const struct acd_slice *markers, uint32_t count);

/* True when a note was refused, or lost with its connection, and none got through since. `wait`: also for the
 * answers that have not come yet. */
bool acd_store_note_lost(struct acd_store_handle *store, bool wait);

/* How often a worker began with the record at an offset and then ended without a word; a commit forgets it.
 * `count` adds this worker's own attempt, `forget` takes it back: the partition was given up alive. `before`
 * leaves one's own out and may be NULL. */
enum acd_attempts { ACD_ATTEMPTS_LOOK, ACD_ATTEMPTS_COUNT, ACD_ATTEMPTS_FORGET };

enum acd_store acd_store_attempts(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                  int64_t offset, const char *worker, enum acd_attempts what, int64_t *before)
    __attribute__((warn_unused_result));

/* ---- Recovery. Every call names the token of the recovery, and does nothing (ACD_STORE_FENCED) once another
 * worker has taken it over. But for acd_store_forget, each may be sent again when its answer was lost. */

/* Takes the recovery over: the incarnation `bad` (empty: none) must still be there and is deleted. `before`
 * is the token of this worker's last attempt, or "". ACD_STORE_FENCED: another one is there. ACD_STORE_BUSY:
 * another worker is at it, and said so within ACD_LEASE_MS. ACD_STORE_HALT: the accounts are another
 * deployment's. */
#define ACD_LEASE_MS 5000
enum acd_store acd_store_take(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice bad,
                              const char *token, const char *before, struct acd_slice deployment)
    __attribute__((warn_unused_result));

/* A key of ours, as a sweep over all of them found it. */
struct acd_found {
    struct acd_slice key;  /* with the prefix */
    struct acd_slice app;  /* absent: none of an app's keys */
    struct acd_slice name; /* absent: not an account's hash */
};

/* The next keys of a sweep: `cursor` starts and ends at 0. A key that is there all the time is found once or
 * more. What is not ours is left out. */
enum acd_store acd_store_sweep(struct acd_store_handle *store, struct acd_arena *arena, uint64_t *cursor,
                               struct acd_found **found, uint32_t *count) __attribute__((warn_unused_result));

/* Deletes keys; with none it just says that the recovery is still under way, as every call does. With keys it
 * must not be sent again when its answer was lost: the first one may come late, and find keys made anew. */
enum acd_store acd_store_forget(struct acd_store_handle *store, struct acd_arena *arena, const char *token,
                                const struct acd_slice *keys, uint32_t count)
    __attribute__((warn_unused_result));

/* An account as it must be. */
struct acd_restored {
    struct acd_slice app;
    struct acd_slice name;
    struct acd_account account;
    bool again; /* an older version of it was written in this recovery */
};

/* Writes accounts, all or none: hash, index, admin set and remembered deletion. No account comes twice.
 * `call` counts from 1: one that was sent again and comes late does nothing, and none writes before its
 * predecessor has; `empty`: no hash was there when the recovery began. Sending and reading are apart, so that
 * the next accounts are decoded while Redis works; answers come in the order of sending. When one is refused,
 * those behind it are sent again, too. */
enum acd_store acd_store_restore_send(struct acd_store_handle *store, struct acd_arena *arena,
                                      const char *token, uint32_t call, const struct acd_restored *accounts,
                                      uint32_t count, bool empty) __attribute__((warn_unused_result));
enum acd_store acd_store_restore_read(struct acd_store_handle *store) __attribute__((warn_unused_result));

/* Ends the recovery: writes the markers and the open jobs (empty ones: none) when there are any, the floor of
 * signed commands (0: none), and the incarnation. */
enum acd_store acd_store_finish(struct acd_store_handle *store, struct acd_arena *arena, const char *token,
                                struct acd_slice incarnation, int64_t floor_ms, const int32_t *partitions,
                                const struct acd_slice *markers, const struct acd_slice *jobs, uint32_t count)
    __attribute__((warn_unused_result));

#endif
