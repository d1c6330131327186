/* The transaction coordinator. */
#include <stdio.h>

#include "faults.h"
#include "kafka.h"

/* transaction.timeout.ms of src/kafka/producer.c; the coordinator looks every ten seconds. */
#define TIMEOUT_US (10 * SECOND)
#define LOOK_US    (10 * SECOND)

#define OWNERS_MAX 16
#define PARTS_MAX  (KAFKA_TOPICS * KAFKA_PARTITIONS_MAX)

enum state { READY, ONGOING, ENDING };

struct kafka_owner {
    char id[64];
    int32_t epoch;
    enum state state;
    uint64_t transaction; /* the present one */
    bool commit;          /* how it ends or ended */
    bool parts[PARTS_MAX];
    bool offsets;
    uint32_t markers_left;
};

static struct kafka_owner owners[OWNERS_MAX];
static uint32_t owner_count;
static uint64_t transactions;

static struct kafka_owner *find_owner(const char *id)
{
    for (uint32_t i = 0; i < owner_count; i++)
        if (strcmp(owners[i].id, id) == 0)
            return &owners[i];
    if (owner_count == OWNERS_MAX) {
        sim_fail("more transactional ids than there can be workers: %s", id);
        return &owners[0];
    }
    snprintf(owners[owner_count].id, sizeof(owners[owner_count].id), "%s", id);
    return &owners[owner_count++];
}

bool kafka_transactions_open(void)
{
    for (uint32_t i = 0; i < owner_count; i++)
        if (owners[i].state != READY)
            return true;
    return false;
}

/* ---- The end: each partition learns of it by itself */

#define OFFSETS_PART PARTS_MAX

static void write_marker(void *context, int64_t part)
{
    struct kafka_owner *owner = context;

    if (part == OFFSETS_PART) {
        kafka_offset_resolve(owner->transaction, owner->commit);
        sim_say_of("kafka", "transaction %llu of %s: %s reaches the group's offsets",
                   (unsigned long long)owner->transaction, owner->id, owner->commit ? "commit" : "abort");
    } else {
        enum kafka_topic topic = (enum kafka_topic)(part / KAFKA_PARTITIONS_MAX);
        int32_t partition = (int32_t)(part % KAFKA_PARTITIONS_MAX);

        kafka_resolve(kafka_log(topic, partition), owner->transaction, owner->commit);
        sim_say_of("kafka", "transaction %llu of %s: %s reaches %s, partition %d",
                   (unsigned long long)owner->transaction, owner->id, owner->commit ? "commit" : "abort",
                   kafka_topic_names[topic], partition);
    }
    if (--owner->markers_left == 0)
        owner->state = READY;
}

static void send_marker(struct kafka_owner *owner, int64_t part)
{
    bool slow = faults_hit(FAULT_MARKERS, 1500);

    owner->markers_left++;
    sim_later(NULL, slow ? sim_between(MS, 6 * SECOND) : sim_latency(REQUEST_US), write_marker, owner, part);
}

static void end(struct kafka_owner *owner, bool commit)
{
    owner->state = ENDING;
    owner->commit = commit;
    owner->markers_left = 0;
    for (int64_t part = 0; part < PARTS_MAX; part++)
        if (owner->parts[part])
            send_marker(owner, part);
    if (owner->offsets)
        send_marker(owner, OFFSETS_PART);
    if (owner->markers_left == 0)
        owner->state = READY;
}

/* ---- The beginning */

static void look_at_age(void *context, int64_t transaction)
{
    struct kafka_owner *owner = context;

    if (owner->state != ONGOING || owner->transaction != (uint64_t)transaction)
        return;
    sim_say_of("kafka", "transaction %llu of %s is too old and is aborted",
               (unsigned long long)owner->transaction, owner->id);
    owner->epoch++;
    end(owner, false);
}

static enum kafka_error begin(struct kafka_owner *owner, int32_t epoch)
{
    if (epoch != owner->epoch)
        return KAFKA_FENCED;
    if (owner->state == ENDING)
        return KAFKA_CONCURRENT;
    if (owner->state == ONGOING)
        return KAFKA_OK;
    owner->state = ONGOING;
    owner->transaction = ++transactions;
    owner->offsets = false;
    memset(owner->parts, 0, sizeof(owner->parts));
    sim_later(NULL, TIMEOUT_US + (int64_t)sim_below(LOOK_US), look_at_age, owner,
              (int64_t)owner->transaction);
    return KAFKA_OK;
}

enum kafka_error kafka_init_producer(const char *transactional_id, struct kafka_owner **out, int32_t *epoch)
{
    struct kafka_owner *owner = find_owner(transactional_id);

    *out = owner;
    if (owner->state == ONGOING) {
        owner->epoch++;
        sim_say_of("kafka", "%s has a new producer: transaction %llu is aborted", owner->id,
                   (unsigned long long)owner->transaction);
        end(owner, false);
    }
    if (owner->state != READY)
        return KAFKA_CONCURRENT;
    *epoch = ++owner->epoch;
    return KAFKA_OK;
}

enum kafka_error kafka_add_partition(struct kafka_owner *owner, int32_t epoch, enum kafka_topic topic,
                                     int32_t partition)
{
    enum kafka_error error = begin(owner, epoch);

    if (!error)
        owner->parts[(int32_t)topic * KAFKA_PARTITIONS_MAX + partition] = true;
    return error;
}

enum kafka_error kafka_add_offsets(struct kafka_owner *owner, int32_t epoch)
{
    enum kafka_error error = begin(owner, epoch);

    if (!error)
        owner->offsets = true;
    return error;
}

static enum kafka_error check(const struct kafka_owner *owner, int32_t epoch, bool part)
{
    if (epoch != owner->epoch)
        return KAFKA_FENCED;
    return owner->state == ONGOING && part ? KAFKA_OK : KAFKA_BAD_STATE;
}

enum kafka_error kafka_commit_in_transaction(struct kafka_owner *owner, int32_t epoch, int32_t generation,
                                             const char *member, const struct acd_offset *offsets,
                                             uint32_t count)
{
    enum kafka_error error = check(owner, epoch, owner->offsets);

    if (!error)
        error = kafka_group_check(member, generation, true);
    for (uint32_t i = 0; !error && i < count; i++)
        kafka_offset_add(owner->transaction, offsets[i].partition, offsets[i].next, offsets[i].token);
    return error;
}

enum kafka_error kafka_produce(struct kafka_owner *owner, int32_t epoch, enum kafka_topic topic,
                               int32_t partition, const struct acd_outgoing *message, int64_t *offset)
{
    enum kafka_error error =
        check(owner, epoch, owner->parts[(int32_t)topic * KAFKA_PARTITIONS_MAX + partition]);

    if (error)
        return error;
    *offset = kafka_append(kafka_log(topic, partition),
                           &(struct kafka_record){.transaction = owner->transaction,
                                                  .state = KAFKA_OPEN,
                                                  .timestamp_ms = message->timestamp_ms,
                                                  .key = message->key,
                                                  .value = message->value,
                                                  .headers = message->headers,
                                                  .header_count = message->header_count});
    return KAFKA_OK;
}

enum kafka_error kafka_end(struct kafka_owner *owner, int32_t epoch, bool commit)
{
    if (epoch != owner->epoch)
        return KAFKA_FENCED;
    /* The same once more, because the answer was lost. */
    if (owner->state != ONGOING)
        return owner->transaction && owner->commit == commit ? KAFKA_OK : KAFKA_BAD_STATE;
    end(owner, commit);
    return KAFKA_OK;
}
