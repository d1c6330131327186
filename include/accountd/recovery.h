/* recovery.h: makes a Redis whole again that has lost, mixed or exchanged its memory.
 *
 * The order of the steps is what makes it right; docs/design.md says why. While one worker is at it, the
 * others wait. What is read and written:
 *
 *   take      the bad incarnation is deleted and a fresh token set, in one call: no commit gets through now
 *   announce  the incarnation to come, in Kafka: no other Redis passes for whole
 *   barrier   leave the group and join anew: nothing that was decided before can be published
 *   look      offsets and tokens of all partitions, then markers: if they agree, all that is left is finish
 *   restore   accounts, indexes, admin sets and deletions become exactly what the changelog says
 *   finish    new markers and the incarnation, in one call
 *
 * A recovery belongs to one thread. It may be given up at any point and begun anew.
 */
#ifndef ACCOUNTD_RECOVERY_H
#define ACCOUNTD_RECOVERY_H

#include <stdatomic.h>

#include "accountd/census.h"
#include "accountd/changelog.h"
#include "accountd/consumer.h"
#include "accountd/job.h"
#include "accountd/position.h"
#include "accountd/settings.h"
#include "accountd/store.h"
#include "accountd/watch.h"

enum acd_recovered {
    ACD_RECOVERED,           /* Redis is whole; the consumer has a new assignment */
    ACD_RECOVERY_AGAIN,      /* another worker is at it, or something came in between: look anew */
    ACD_RECOVERY_IMPOSSIBLE, /* going on would lose accounts or another deployment's data; see `error` */
};

/* Records on their way from the changelog to Redis, in one call. */
#define ACD_LOAD_MAX 512

struct acd_load {
    bool under_way; /* not known to be written yet */
    bool sent;      /* an answer is to come on this connection */
    uint32_t call;  /* its number */
    struct acd_arena arena;
    struct acd_record records[ACD_LOAD_MAX];
    uint32_t record_count;
    struct acd_restored *accounts;
    uint32_t account_count;
};

/* One is decoded while one is written and one waits for that. */
#define ACD_LOADS 3

/* A record of the changelog that is not accountd's. */
struct acd_spoilt {
    struct acd_spoilt *next;
    int32_t partition;
    int64_t offset;
    struct acd_slice key;
    struct acd_slice wrong;
};

struct acd_recovery {
    /* To be filled in. */
    const struct acd_settings *settings;
    const char *cluster;           /* id */
    struct acd_consumer *consumer; /* may hold no records */
    struct acd_store_handle *store;
    const atomic_bool *stop;
    void (*report)(void *context, const char *text); /* what it is doing; called about once a second */
    void *context;
    struct acd_pulse *pulse; /* beaten at each wait; NULL: none */
    bool always;             /* restore although nothing seems lost */
    bool accept_offsets;     /* offsets that somebody else has set hold: what they skip gets no effect and no
                                reply */

    /* Afterwards. */
    char error[512];
    bool restored;    /* accounts were restored, not only the incarnation made anew */
    int64_t accounts; /* … so many, the deleted ones counted */
    int64_t took_ms;

    /* Its own. */
    char token[ACD_NONCE_BYTES];
    struct acd_slice incarnation;
    struct acd_arena arena; /* of one attempt */
    struct acd_arena names; /* the census' */
    struct acd_census census;
    struct acd_changelog *changelog;
    struct acd_load loads[ACD_LOADS];
    uint32_t turn;
    uint32_t calls;                 /* of this attempt */
    bool empty;                     /* no account's hash was there when the restore began */
    int64_t *seen;                  /* records of each changelog partition */
    struct acd_outgoing_list *jobs; /* open ones of each changelog partition */
    struct acd_spoilt *spoilt;      /* none with its key came after it yet; the last one first */
    uint32_t spoilt_count;
    int64_t reported_ms;
};

/* Clears what is not filled in, and lets memory run out to `no_memory`, after which acd_recovery_end must be
 * called. */
void acd_recovery_begin(struct acd_recovery *recovery, jmp_buf *no_memory);

/* One attempt. `bad` is the incarnation that was found, empty for none. */
enum acd_recovered acd_recover(struct acd_recovery *recovery, struct acd_slice bad)
    __attribute__((warn_unused_result));

/* Frees everything. May be called at any time, also twice. */
void acd_recovery_end(struct acd_recovery *recovery);

/* For src/recovery/restore.c: see there. */
enum acd_recovered acd_recovery_restore(struct acd_recovery *recovery, const struct acd_committed *committed,
                                        int32_t partitions);

/* True when a call that had this result is to be sent again: Redis is the same as before, and the connection
 * stands. */
bool acd_recovery_again(struct acd_recovery *recovery, enum acd_store result);

/* Lets the others know that this recovery is under way. False when it is not ours any more. */
bool acd_recovery_extend(struct acd_recovery *recovery);

/* Polls, so that the group keeps this member, and says what goes on. False: stop. */
bool acd_recovery_wait(struct acd_recovery *recovery, int timeout_ms);

/* Why a call failed for good, or that it is another's now. */
enum acd_recovered acd_recovery_failed(struct acd_recovery *recovery, enum acd_store result);

enum acd_recovered acd_recovery_impossible(struct acd_recovery *recovery, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void acd_recovery_report(struct acd_recovery *recovery, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
