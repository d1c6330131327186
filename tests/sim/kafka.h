/* kafka.h: a Kafka cluster in memory: what accountd uses of it, as documented.
 *
 *   kafka_log.c     topics and their logs: control records, what is visible, retention, compaction
 *   kafka_txn.c     the transaction coordinator: epochs, time-outs, markers that arrive one by one
 *   kafka_group.c   the group coordinator: generations, range assignment, sessions
 *   kafka_offset.c  the group's committed offsets, pending ones too
 *   consumer.c, producer.c, topics.c, changelog.c   in place of src/kafka's: clients of it
 */
#ifndef ACCOUNTD_SIM_KAFKA_H
#define ACCOUNTD_SIM_KAFKA_H

#include "accountd/consumer.h"
#include "accountd/outgoing.h"
#include "sim.h"

/* How long a request takes most often. */
#define REQUEST_US 400

enum kafka_error {
    KAFKA_OK,
    KAFKA_CONCURRENT, /* the transaction before is not complete yet: come again */
    KAFKA_FENCED,     /* another producer has this transactional id now */
    KAFKA_BAD_STATE,
    KAFKA_ILLEGAL_GENERATION,
    KAFKA_UNKNOWN_MEMBER,
    KAFKA_REBALANCE,
    KAFKA_UNSTABLE, /* an open transaction may change the offset: come again */
    KAFKA_TIMED_OUT,
};

const char *kafka_error_text(enum kafka_error error);

/* ---- Logs */

enum kafka_topic {
    KAFKA_COMMANDS,
    KAFKA_REPLIES,
    KAFKA_CHANGELOG,
    KAFKA_EXPORTS,
    KAFKA_DEAD_LETTERS,
    KAFKA_TOPICS
};

enum kafka_state { KAFKA_OPEN, KAFKA_COMMITTED, KAFKA_ABORTED };

struct kafka_record {
    bool control;
    bool compacted;       /* no reader sees it any more */
    uint64_t transaction; /* 0: none */
    enum kafka_state state;
    int64_t timestamp_ms;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers;
    uint32_t header_count;
};

#define KAFKA_PARTITIONS_MAX 8

struct kafka_log {
    struct kafka_record *records; /* by offset */
    int64_t start;
    int64_t end;
    int64_t capacity;
};

extern const char *const kafka_topic_names[KAFKA_TOPICS];

void kafka_begin(const int32_t partitions[KAFKA_TOPICS]);
int32_t kafka_partitions(enum kafka_topic topic);
void kafka_grow(enum kafka_topic topic, int32_t partitions);
enum kafka_topic kafka_topic_find(struct acd_slice name); /* KAFKA_TOPICS: there is none */
struct kafka_log *kafka_log(enum kafka_topic topic, int32_t partition);
int64_t kafka_append(struct kafka_log *log, const struct kafka_record *record);

/* Where the first open transaction begins, or the end. */
int64_t kafka_stable_end(const struct kafka_log *log);

/* The offset of the first record from there on that a reader of committed records sees before `end`, or -1.
 */
int64_t kafka_visible(const struct kafka_log *log, int64_t from, int64_t end);

/* The transaction has ended in this log. */
void kafka_resolve(struct kafka_log *log, uint64_t transaction, bool committed);

void kafka_compact(void);
void kafka_retain(int32_t partition, int64_t start);

/* ---- Transactions */

struct kafka_owner;

/* Ends what an earlier producer with this id left open. KAFKA_CONCURRENT: that is under way. */
enum kafka_error kafka_init_producer(const char *transactional_id, struct kafka_owner **owner,
                                     int32_t *epoch);
enum kafka_error kafka_add_partition(struct kafka_owner *owner, int32_t epoch, enum kafka_topic topic,
                                     int32_t partition);
enum kafka_error kafka_add_offsets(struct kafka_owner *owner, int32_t epoch);
enum kafka_error kafka_commit_in_transaction(struct kafka_owner *owner, int32_t epoch, int32_t generation,
                                             const char *member, const struct acd_offset *offsets,
                                             uint32_t count);
enum kafka_error kafka_produce(struct kafka_owner *owner, int32_t epoch, enum kafka_topic topic,
                               int32_t partition, const struct acd_outgoing *message, int64_t *offset);
enum kafka_error kafka_end(struct kafka_owner *owner, int32_t epoch, bool commit);

/* True while some transaction is open or not yet complete. */
bool kafka_transactions_open(void);

/* ---- Offsets of the group */

struct kafka_offset {
    bool exists;
    int64_t offset;
    struct acd_slice metadata;
};

void kafka_offset_set(enum kafka_topic topic, int32_t partition, int64_t offset, struct acd_slice metadata);
/* Takes effect when the transaction does. */
void kafka_offset_add(uint64_t transaction, int32_t partition, int64_t offset, struct acd_slice metadata);
void kafka_offset_resolve(uint64_t transaction, bool committed);
bool kafka_offset_pending(enum kafka_topic topic, int32_t partition);
const struct kafka_offset *kafka_offset(enum kafka_topic topic, int32_t partition);

/* A commit outside of transactions. */
enum kafka_error kafka_commit(const char *member, int32_t generation, enum kafka_topic topic,
                              int32_t partition, int64_t offset, struct acd_slice metadata);

/* ---- The group */

/* What a member's client is told. It may have become another member meanwhile. */
struct kafka_client {
    struct sim_life *life;
    /* A heartbeat said that the group rebalances. */
    void (*rejoin)(struct kafka_client *client, const char *member);
    void (*assigned)(struct kafka_client *client, const char *member, int32_t generation,
                     const int32_t *partitions, uint32_t count);
    /* A heartbeat said that the group does not know this member. */
    void (*forgotten)(struct kafka_client *client, const char *member);
};

void kafka_group_begin(int64_t rebalance_timeout_us);

/* Joins; an empty member id becomes a new one. */
void kafka_join(struct kafka_client *client, char member[24]);
void kafka_leave(const char *member);

/* The coordinator will have heard nothing of the member for too long. `silent`: unless its process goes on by
 * then. */
void kafka_session_ends(const char *member, int64_t delay_us, bool silent);

enum kafka_error kafka_group_check(const char *member, int32_t generation, bool transactional);
int64_t kafka_poll_interval_us(void);

/* Some member has noticed that there are more partitions. */
void kafka_group_grown(void);

#endif
