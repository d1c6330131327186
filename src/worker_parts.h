/* worker_parts.h: the worker's inside, shared by the files that make it up:
 *   worker.c    the loop: poll, commit, publish
 *   intake.c    records into queues
 *   assign.c    where partitions stand when they are assigned
 *   incarnation.c  whether Redis is whole, and what is done when it is not
 *   batch.c     a batch: from records to decisions
 *   authorize.c    whether a command is signed as it must be
 *   messages.c  what a decision publishes
 *   commit.c    the batch to Redis
 *   publish.c   the batch to Kafka
 *   jobs.c      exports of whole apps, from the batch that accepts one to the batch that answers it
 *   observe.c   what is counted and logged of all that
 */
#ifndef ACCOUNTD_WORKER_PARTS_H
#define ACCOUNTD_WORKER_PARTS_H

#include <pthread.h>

#include "accountd/apply.h"
#include "accountd/cache.h"
#include "accountd/codec.h"
#include "accountd/consumer.h"
#include "accountd/export.h"
#include "accountd/metrics.h"
#include "accountd/producer.h"
#include "accountd/recovery.h"
#include "accountd/store.h"
#include "accountd/worker.h"

/* Records that are read ahead of their batch, in bytes; one more record may go over it. */
#define QUEUE_BYTES_MAX ((size_t)8 << 20)

/* A batch takes no more records beyond these, so that one command more keeps the commit under 8 MiB. */
#define BATCH_INPUT_MAX    ((size_t)4 << 20)
#define BATCH_OUTPUT_MAX   ((size_t)4 << 20)
#define BATCH_ACCOUNTS_MAX 1000

/* A batch takes no further record once its arena is as large as this: a hostile megabyte of JSON can decode
 * to ninety, and one of those at a time is enough. */
#define BATCH_MEMORY_MAX ((size_t)24 << 20)

/* A record that ended the process so often is set aside. */
#define ATTEMPTS_MAX 3

/* After so many refused commits the rows of a list are no longer compared: under a steady load by other
 * partitions there may be no moment at which all of them hold. */
#define LIST_TRIES_MAX 50

/* Accounts that another partition's unpublished batch wrote are left alone for so long. */
#define BUSY_PAUSE_MS 3
#define BUSY_MAX      256

enum phase {
    UNRESOLVED, /* where it stands is not known yet */
    RUNNING,
    HALTED, /* going on would be a guess; only an operator, or a new assignment, changes that */
};

struct partition {
    int32_t id;
    enum phase phase;
    int64_t next;                      /* offset to decide next, or ACD_OFFSET_BEGINNING */
    int64_t verify_offset;             /* the last decided record, to be fetched once more, or -1 */
    bool skip_verify;                  /* the log no longer holds that record */
    int64_t missed;                    /* offset that was to be decided next and was not in the log, or -1 */
    bool until_retry;                  /* halted because a recovery was impossible, which may change */
    uint32_t lost;                     /* how often in a row its marker was found not to fit */
    char fingerprint[ACD_NONCE_BYTES]; /* … and what it must hash to */
    struct acd_slice marker;           /* what Redis must have; owned, empty for none */
    char nonce[ACD_NONCE_BYTES];       /* of the last batch, or ACD_NO_NONCE */
    int64_t changelog_end;             /* a lower bound, see acd_token */
    int64_t floor_ms;                  /* likewise */
    struct acd_slice jobs;             /* that are open, as acd_jobs_encode has them; owned */
    uint32_t job_count;                /* … as the metric has it */
    bool noted;                        /* Redis knows that the last batch is published */
    bool proven;                       /* a batch got through since the assignment: no attempts are counted */
    int64_t careful;                   /* records to take one by one, since one of them may end the process */
    bool set_aside;                    /* the next record has ended the process too often */
    bool looked_up;                    /* whether an earlier process failed at the next record is known */
    int64_t counted;                   /* offset whose attempt this process has counted, or -1 */
    struct acd_record *queue;          /* records to decide: a ring */
    uint32_t head;
    uint32_t applied; /* … of which the first ones are applied and not answered yet */
    uint32_t steps;   /* in so many batches */
    uint32_t queued;
    uint32_t capacity;
};

struct acd_worker {
    struct acd_shared *shared;
    const struct acd_rules *rules; /* those of this turn of the loop */
    char name[400];                /* the transactional id */
    char token[ACD_NONCE_BYTES];   /* tells this run of the worker from any other */
    pthread_t thread;
    struct acd_pulse *pulse;

    struct acd_consumer *consumer;
    struct acd_producer *producer;
    struct acd_store_handle *store;
    struct acd_cache *cache;
    struct acd_arena arena;

    uint64_t epoch; /* the consumer's, when `partitions` were taken over */
    bool joined;    /* an assignment has come */
    struct partition *partitions;
    uint32_t partition_count;
    uint32_t turn;       /* whose records are taken first in the next batch */
    uint32_t ran;        /* the partition that was the last one to have a run */
    size_t queued_bytes; /* of all queues */
    uint32_t queued;
    int64_t lag;        /* its part of the metric */
    int64_t lag_at_ms;  /* when it is to be counted again */
    bool redis_counted; /* its parts of the metrics of who has a connection */
    bool kafka_counted;

    struct acd_slice incarnation; /* owned; empty while Redis is not known to be whole */
    int64_t announce_at_ms;       /* when the incarnation is to be announced once more */
    int64_t compare_at_ms;        /* … is to be compared with what Kafka knows */
    int64_t look_at_ms;           /* when it is to be compared with Redis' while there is nothing to do */
    uint32_t not_whole;           /* how often in a row Redis was found not to be whole */
    struct acd_recovery recovery; /* under way only within a turn of the loop */
    int64_t recover_at_ms;        /* one was impossible: not again before; 0: none was */
    char blamed[256];             /* the topic that refused a message of the last transaction, or "" */
    uint64_t busy[BUSY_MAX];      /* hashes of accounts, or of an app and no account for its admin set */
    uint32_t busy_count;
    int64_t busy_until_ms;
    struct partition
        *alone;             /* the one that the next batch is taken from, or NULL: all that are not careful */
    struct export *exports; /* under way for this worker's jobs */
    uint32_t none_fresh;    /* batches that read accounts before they create them: some of these did exist */
    uint32_t lists_refused; /* lists, one after the other, that other partitions' changes got in the way of */
    uint32_t one_by_one; /* batches to take from one partition each: one was refused for good, and whose fault
                            it was must show */

    pthread_mutex_t lock; /* of what follows, which other threads read */
    bool ready;
    char reason[512];
};

/* One record in a batch. */
struct item {
    struct partition *partition;
    struct acd_record record; /* a copy: the queue may move while the batch is held */
    const struct acd_header *headers;
    uint32_t header_count;
    bool headers_unread; /* it has some, but they are too many */
    struct acd_route route;
    enum acd_encoding encoding;
    struct acd_command command;
    struct acd_refusal refusal;    /* ACD_OK: the command is to be applied */
    struct acd_entry **entries;    /* of its targets */
    struct acd_page page;          /* list: what the index gave */
    const struct acd_grant *grant; /* what the key that signed it may do; NULL: it is not signed */
    struct acd_claim claim;
    struct acd_spent *spent; /* NULL: it is not signed, or refused for that */
    bool decided;
    bool dead_letter;            /* it was copied to the dead letters */
    struct acd_refusal answered; /* once it is decided */
};

/* What a batch publishes and writes for one partition. */
struct part {
    struct partition *partition;
    uint32_t taken; /* records, from those of its queue on that are not applied */
    int64_t from;   /* offset of the first */
    int64_t last;   /* offset of the last */
    struct acd_slice marker;
    char nonce[ACD_NONCE_BYTES];
    struct acd_outgoing_list messages;
    struct acd_slice jobs; /* its partition's open jobs from then on; data NULL: as before */
};

struct batch {
    struct acd_state state;
    struct item *items;
    uint32_t item_count;
    struct part *parts;
    uint32_t part_count;
    bool only_new; /* its decisions did nothing else than to make accounts, see acd_state_only_new */
    int64_t began_us;
    int64_t stage_us; /* when the stage that is under way began */

    struct acd_spent *signed_ones; /* signed commands, in the order of the items */
    uint32_t signed_count;
    int64_t floor_ms;              /* what was signed before may have been forgotten */
    struct acd_spending spending;  /* those that were decided and take effect */
    const struct acd_spent **seen; /* … as a table, by hash of their ids */
    size_t seen_capacity;          /* a power of two */
};

/* ---- batch.c */

/* True when batches of the partition may follow one another before they are answered. */
bool acd_batch_may_run(const struct acd_worker *worker, const struct partition *partition);

/* … and when more records wait than one of them takes. */
bool acd_batch_has_run(const struct acd_worker *worker, const struct partition *partition);

/* True when one more batch of its run may be answered together with those that are applied. Twice as many may
 * where these have only made new accounts: with all others each batch compares the accounts that it changes.
 */
bool acd_batch_has_room(const struct acd_worker *worker, const struct partition *partition, bool only_new);

/* True when the next batch takes records of the partition. */
bool acd_batch_takes(const struct acd_worker *worker, const struct partition *partition);

/* Takes records from the queues, decodes them and claims their accounts. */
void acd_batch_take(struct acd_worker *worker, struct batch *batch);

/* Reads what the commands need: from the cache, then from Redis. ACD_STORE_STALE: a list's accounts changed
 * while it was read, so that it has to be taken again. */
enum acd_store acd_batch_load(struct acd_worker *worker, struct batch *batch)
    __attribute__((warn_unused_result));

/* Decides the commands in order and encodes all that will be published, up to the batch's bounds. */
void acd_batch_decide(struct acd_worker *worker, struct batch *batch);

/* Reads a command once more that was accepted: whether it is signed was looked at then. */
void acd_batch_read_again(struct acd_worker *worker, struct item *item);

/* Where the item's command came from, and when, as its reply says. */
struct acd_origin acd_batch_origin(const struct acd_worker *worker, const struct item *item);

/* ---- authorize.c: only where there are keys */

/* Before anything is decoded. False when the record is not signed as it must be; item->refusal says so. */
bool acd_item_authenticate(struct acd_worker *worker, struct item *item);

/* Refuses a command that its key may not be used for. */
void acd_item_authorize(struct acd_worker *worker, struct item *item);

/* Finds out which of the batch's signed commands took effect before. */
enum acd_store acd_batch_load_spent(struct acd_worker *worker, struct batch *batch)
    __attribute__((warn_unused_result));

/* Lets a signed command take effect, unless one like it did, or may have: then it is refused. */
void acd_item_spend(struct acd_worker *worker, struct batch *batch, struct item *item);

/* ---- commit.c */

/* Commits to Redis. True when the batch is applied and must be published. A connection that breaks on the way
 * is ambiguous: the same commit is sent again over a new one, and the marker tells. */
bool acd_batch_commit(struct acd_worker *worker, struct batch *batch);

/* Keeps in mind that a batch is committed: where its partitions stand in Redis, and its accounts in the
 * cache. */
void acd_batch_remember(struct acd_worker *worker, const struct batch *batch);

/* True when batches before it, of the same run, are not answered yet. */
static inline bool acd_batch_follows(const struct batch *batch)
{
    return batch->parts[0].partition->steps > 0;
}

/* True while all partitions of the batch are still to be decided by this worker. */
bool acd_batch_runs(const struct batch *batch);

/* A refusal for good (a key of a wrong type) concerns one account: when several partitions are in the batch,
 * take them one at a time to see whose it is, and stop only that one. */
void acd_batch_refused(struct acd_worker *worker, const struct batch *batch);

/* ---- publish.c */

/* One transaction, tried again where that may help. `looked_up`: the reply topics were there just now. False:
 * nothing can be said to be published, and what the group has committed tells; the producer may be gone. */
bool acd_publish(struct acd_worker *worker, const struct acd_offset *offsets, uint32_t count,
                 struct acd_outgoing_list *messages, bool looked_up);

/* Publishes what was committed, a run of batches of one partition or a single batch, in one transaction. When
 * it cannot be said whether that worked, the next assignment finds out. */
void acd_batch_publish(struct acd_worker *worker, struct batch *run, uint32_t count);

/* Tells Redis that batches are published, so that other partitions may build on what they wrote. It may fail:
 * then it is told again before the next batch, or by it. */
void acd_batch_note(struct acd_worker *worker);

/* ---- messages.c: each adds to the part's messages */

/* `source`, here and below, is the command's position. */
void acd_messages_reply(struct acd_worker *worker, struct part *part, const struct item *item,
                        const struct acd_answer *answer, struct acd_slice value, struct acd_slice source);

/* The changelog records of the accounts that the command changed. */
void acd_messages_changes(struct acd_worker *worker, struct part *part, const struct item *item,
                          const struct acd_answer *answer);

/* A copy of a record that could not be decoded, or that was set aside. */
void acd_messages_dead_letter(struct acd_worker *worker, struct part *part, const struct item *item,
                              const struct acd_refusal *refusal);

/* An export's chunks, and after them its manifest. */
void acd_messages_chunks(struct acd_worker *worker, struct part *part, const struct acd_export *file);
void acd_messages_manifest(struct acd_worker *worker, struct part *part, const struct acd_manifest *manifest);

/* ---- assign.c */

/* Takes over the consumer's present assignment; all that was read before is dropped. */
void acd_assign_take(struct acd_worker *worker);

/* Finds out where unresolved partitions stand, answers what is pending, and starts fetching. */
void acd_assign_resolve(struct acd_worker *worker);

/* Makes every partition unresolved: something did not go as expected, so look at what is there. */
void acd_assign_doubt(struct acd_worker *worker);

void acd_assign_halt(struct acd_worker *worker, struct partition *partition, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Looks at a halted partition again. */
void acd_assign_unhalt(struct partition *partition);

/* Takes back what was counted against records that this worker leaves alive. */
void acd_assign_give_up(struct acd_worker *worker);

void acd_assign_free(struct acd_worker *worker);

/* What a partition's marker says of where it belongs, in the arena. */
struct acd_slice acd_assign_origin(struct acd_worker *worker, int32_t partition);

/* Keeps a copy of the value beyond the batch, in place of what was kept. */
void acd_assign_keep(struct acd_worker *worker, struct acd_slice *kept, struct acd_slice value);

/* Remembers a marker and its nonce as the partition's last. */
void acd_assign_mark(struct acd_worker *worker, struct partition *partition, struct acd_slice marker,
                     const char *nonce);

/* ---- incarnation.c */

/* True when Redis is whole: the incarnation it holds is the one that is announced in Kafka, and was made in
 * this very Redis. Takes a Redis that is new into use, and makes one whole that is not; then, and while
 * another worker does, it is false. */
bool acd_incarnation_check(struct acd_worker *worker);

/* Makes Redis whole: its incarnation is the right one, but what it holds is not. */
void acd_incarnation_recover(struct acd_worker *worker);

/* Looks again at partitions that are halted because a recovery was impossible, half a minute later. */
void acd_incarnation_retry(struct acd_worker *worker);

/* Once a second, whether or not there are commands: Redis may have been emptied since. */
void acd_incarnation_look(struct acd_worker *worker);

/* Compares the incarnation with the announced one every minute, and announces it once more when it is time:
 * brokers forget an offset that is not committed for days. */
void acd_incarnation_announce(struct acd_worker *worker);

/* ---- jobs.c */

/* Takes the export of an app up, which is the item's command. Returns the refusal when it cannot be. */
struct acd_refusal acd_jobs_open(struct acd_worker *worker, struct part *part, const struct item *item,
                                 struct acd_slice source);

/* Reads a partition's open jobs from Redis. False after a report. */
bool acd_jobs_load(struct acd_worker *worker, struct partition *partition);

/* Keeps a copy of a partition's open jobs. */
void acd_jobs_keep(struct acd_worker *worker, struct partition *partition, struct acd_slice jobs);

/* Begins, follows and ends the jobs of the partitions that run. */
void acd_jobs_look(struct acd_worker *worker);

/* Ends all exports of this worker that are under way; their jobs stay open. */
void acd_jobs_drop(struct acd_worker *worker);

/* ---- intake.c */

/* What polling once brought. */
enum polled {
    POLLED_RECORD, /* it is queued, unless its partition takes none now */
    POLLED_NOTHING,
    POLLED_OVER, /* the assignment has changed or the worker is to stop: a batch that is under way must be
                    dropped */
};

enum polled acd_worker_poll(struct acd_worker *worker, int timeout_ms);

/* Takes n records off a queue. */
void acd_worker_release(struct acd_worker *worker, struct partition *partition, uint32_t n);

/* ---- observe.c */

/* Counts what the worker holds: connections, and once a second the records that are still to be decided. */
void acd_observe_worker(struct acd_worker *worker);

/* Its partitions are given up. */
void acd_observe_no_lag(struct acd_worker *worker);

/* The worker ends, and has nothing any more. */
void acd_observe_end(struct acd_worker *worker);

/* A stage of the batch is over. */
void acd_observe_stage(struct batch *batch, enum acd_metric stage);

/* The batch is answered. */
void acd_observe_answered(const struct batch *batch);

/* ---- worker.c */

/* Waits until Redis can be asked again, and keeps polling, or the group would throw this worker out. False
 * when the batch must be dropped. */
bool acd_worker_hold(struct acd_worker *worker);

/* Tells probes what the worker waits for. Logged when it changes. */
void acd_worker_report(struct acd_worker *worker, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline struct acd_record *partition_record(const struct partition *partition, uint32_t n)
{
    return &partition->queue[(partition->head + n) % partition->capacity];
}

#endif
