/* Logs. */
#include "kafka.h"

struct topic {
    int32_t partitions;
    struct kafka_log logs[KAFKA_PARTITIONS_MAX];
};

const char *const kafka_topic_names[KAFKA_TOPICS] = {
    "account.commands", "account.replies", "account.changelog", "account.exports", "account.dead-letters"};

static struct topic topics[KAFKA_TOPICS];

const char *kafka_error_text(enum kafka_error error)
{
    static const char *const texts[] = {"ok",
                                        "concurrent transactions",
                                        "fenced",
                                        "invalid transaction state",
                                        "illegal generation",
                                        "unknown member",
                                        "rebalance in progress",
                                        "unstable offset commit",
                                        "timed out"};

    return texts[error];
}

void kafka_begin(const int32_t partitions[KAFKA_TOPICS])
{
    for (int i = 0; i < KAFKA_TOPICS; i++)
        topics[i].partitions = partitions[i];
}

int32_t kafka_partitions(enum kafka_topic topic)
{
    return topics[topic].partitions;
}

void kafka_grow(enum kafka_topic topic, int32_t partitions)
{
    if (partitions > topics[topic].partitions && partitions <= KAFKA_PARTITIONS_MAX)
        topics[topic].partitions = partitions;
}

enum kafka_topic kafka_topic_find(struct acd_slice name)
{
    int i = 0;

    while (i < KAFKA_TOPICS && !acd_slice_is(name, kafka_topic_names[i]))
        i++;
    return (enum kafka_topic)i;
}

struct kafka_log *kafka_log(enum kafka_topic topic, int32_t partition)
{
    return &topics[topic].logs[partition];
}

static struct acd_slice keep(struct acd_slice slice)
{
    return slice.data ? acd_arena_copy(&sim.memory, slice) : slice;
}

int64_t kafka_append(struct kafka_log *log, const struct kafka_record *record)
{
    struct kafka_record *larger;
    struct kafka_record *kept;
    struct acd_header *headers = acd_arena_calloc(&sim.memory, record->header_count, sizeof(*headers));

    if (log->end == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 32;
        larger = acd_arena_alloc(&sim.memory, (size_t)log->capacity * sizeof(*larger));
        if (log->end)
            memcpy(larger, log->records, (size_t)log->end * sizeof(*larger));
        log->records = larger;
    }
    kept = &log->records[log->end];
    *kept = *record;
    kept->key = keep(record->key);
    kept->value = keep(record->value);
    for (uint32_t i = 0; i < record->header_count; i++) {
        headers[i].name = keep(record->headers[i].name);
        headers[i].value = keep(record->headers[i].value);
    }
    kept->headers = headers;
    return log->end++;
}

int64_t kafka_stable_end(const struct kafka_log *log)
{
    int64_t at = 0;

    while (at < log->end && log->records[at].state != KAFKA_OPEN)
        at++;
    return at;
}

int64_t kafka_visible(const struct kafka_log *log, int64_t from, int64_t end)
{
    for (int64_t at = from; at < end; at++)
        if (!log->records[at].control && log->records[at].state == KAFKA_COMMITTED &&
            !log->records[at].compacted)
            return at;
    return -1;
}

void kafka_resolve(struct kafka_log *log, uint64_t transaction, bool committed)
{
    for (int64_t at = 0; at < log->end; at++)
        if (log->records[at].transaction == transaction)
            log->records[at].state = committed ? KAFKA_COMMITTED : KAFKA_ABORTED;
    kafka_append(log, &(struct kafka_record){.control = true, .state = KAFKA_COMMITTED});
}

/* Of committed records with one key only the last stays; never the last of the log. */
void kafka_compact(void)
{
    for (int32_t p = 0; p < topics[KAFKA_CHANGELOG].partitions; p++) {
        struct kafka_log *log = &topics[KAFKA_CHANGELOG].logs[p];
        int64_t stable = kafka_stable_end(log);

        for (int64_t at = 0; at < stable; at++)
            for (int64_t later = at + 1; later < stable; later++)
                if (!log->records[at].control && !log->records[later].control &&
                    log->records[later].state == KAFKA_COMMITTED &&
                    acd_slice_equal(log->records[at].key, log->records[later].key))
                    log->records[at].compacted = true;
    }
}

void kafka_retain(int32_t partition, int64_t start)
{
    struct kafka_log *log = &topics[KAFKA_COMMANDS].logs[partition];

    if (start > log->start && start <= log->end)
        log->start = start;
}
