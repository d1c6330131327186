/* What comes from the consumer: records into the queues of their partitions, and the first one after an
 * assignment compared with what was applied last. */
#include <stdlib.h>

#include "accountd/log.h"
#include "worker_parts.h"

void acd_worker_release(struct acd_worker *worker, struct partition *partition, uint32_t n)
{
    for (; n > 0; n--) {
        struct acd_record *record = partition_record(partition, 0);

        worker->queued_bytes -= record->key.len + record->value.len;
        acd_record_release(record);
        partition->head = (partition->head + 1) % partition->capacity;
        partition->queued--;
        worker->queued--;
    }
    partition->applied = 0;
}

static bool grow(struct partition *partition)
{
    uint32_t capacity = partition->capacity ? 2 * partition->capacity : 64;
    struct acd_record *queue = malloc(capacity * sizeof(*queue));

    if (!queue)
        return false;
    for (uint32_t i = 0; i < partition->queued; i++)
        queue[i] = *partition_record(partition, i);
    free(partition->queue);
    partition->queue = queue;
    partition->capacity = capacity;
    partition->head = 0;
    return true;
}

/* Without memory the record is dropped, and fetched again with all that is queued. */
static void push(struct acd_worker *worker, struct partition *partition, struct acd_record *record)
{
    if (partition->queued == partition->capacity && !grow(partition)) {
        acd_record_release(record);
        acd_arena_no_memory(&worker->arena);
    }
    partition->queue[(partition->head + partition->queued) % partition->capacity] = *record;
    partition->queued++;
    worker->queued++;
    worker->queued_bytes += record->key.len + record->value.len;
}

static struct partition *find_partition(struct acd_worker *worker, int32_t id)
{
    for (uint32_t i = 0; i < worker->partition_count; i++)
        if (worker->partitions[i].id == id)
            return &worker->partitions[i];
    return NULL;
}

static void tell_not_compared(int32_t id)
{
    const struct acd_log_field at = acd_log_number("partition", id);

    acd_log_fields(ACD_LOG_INFO, &at, 1,
                   "partition %d: the last applied record is no longer kept, so it was not compared", id);
}

/* The last decided record comes once more after an assignment. If it is another one, the topic was made anew,
 * and its offsets mean other commands than Redis has applied. */
static void verify(struct acd_worker *worker, struct partition *partition, const struct acd_record *record)
{
    char fingerprint[ACD_NONCE_BYTES];

    if (record->offset == partition->verify_offset) {
        acd_fingerprint(record->key, record->value, record->timestamp_ms, fingerprint);
        if (strcmp(fingerprint, partition->fingerprint) != 0)
            acd_assign_halt(
                worker, partition,
                "the record at offset %lld is not the one that was applied: the topic was made anew",
                (long long)record->offset);
    } else {
        tell_not_compared(partition->id);
    }
    partition->verify_offset = -1;
}

static void take_record(struct acd_worker *worker, struct acd_record *record)
{
    struct partition *partition = find_partition(worker, record->partition);

    if (partition && partition->phase == RUNNING && partition->verify_offset >= 0)
        verify(worker, partition, record);
    if (partition && partition->phase == RUNNING && record->offset >= partition->next)
        push(worker, partition, record);
    else
        acd_record_release(record);
}

/* Asked for what the log does not hold. The record to verify may have been deleted by retention, and so may
 * commands that another worker has decided while this process stood still. What is looked up anew and not
 * held either means that the log is shorter than what was applied, or that commands were deleted before they
 * were read. */
static void out_of_range(struct acd_worker *worker, int32_t id)
{
    struct partition *partition = find_partition(worker, id);
    int64_t first;
    int64_t end;

    if (!partition || partition->phase != RUNNING)
        return;
    if (acd_consumer_bounds(worker->consumer, id, &first, &end)) {
        acd_assign_doubt(worker);
    } else if (partition->verify_offset >= 0 && partition->next >= first && partition->next <= end) {
        tell_not_compared(id);
        acd_assign_doubt(worker);
        partition->skip_verify = true;
    } else if (partition->next == ACD_OFFSET_BEGINNING || partition->missed != partition->next) {
        acd_assign_doubt(worker);
        partition->missed = partition->next;
    } else {
        acd_assign_halt(worker, partition,
                        "offset %lld is to be decided next, but the log holds %lld to %lld",
                        (long long)partition->next, (long long)first, (long long)end);
    }
}

enum polled acd_worker_poll(struct acd_worker *worker, int timeout_ms)
{
    struct acd_record record;
    enum acd_poll polled = acd_consumer_poll(worker->consumer, timeout_ms, &record);

    if (acd_consumer_epoch(worker->consumer) != worker->epoch) {
        if (polled == ACD_POLL_RECORD)
            acd_record_release(&record);
        return POLLED_OVER;
    }
    if (polled == ACD_POLL_RECORD)
        take_record(worker, &record);
    else if (polled == ACD_POLL_OUT_OF_RANGE)
        out_of_range(worker, record.partition);
    else if (polled == ACD_POLL_ASTRAY)
        acd_assign_doubt(worker);
    if (atomic_load(&worker->shared->stop))
        return POLLED_OVER;
    return polled == ACD_POLL_RECORD ? POLLED_RECORD : POLLED_NOTHING;
}
