/* In place of src/kafka/changelog.c: a reader of the changelog. */
#include "accountd/changelog.h"

#include <stdio.h>
#include <stdlib.h>

#include "faults.h"
#include "kafka.h"

struct acd_changelog {
    int32_t count;
    int64_t ends[KAFKA_PARTITIONS_MAX];
    int64_t next[KAFKA_PARTITIONS_MAX];
};

struct acd_changelog *acd_changelog_open(const struct acd_settings *settings, char *error, size_t error_bytes)
{
    struct acd_changelog *changelog = calloc(1, sizeof(*changelog));

    if (!changelog)
        return NULL;
    sim_step(REQUEST_US);
    if (faults_hit(FAULT_ASK, 1000)) {
        snprintf(error, error_bytes, "timed out");
        free(changelog);
        return NULL;
    }
    changelog->count = kafka_partitions(KAFKA_CHANGELOG);
    for (int32_t i = 0; i < changelog->count; i++) {
        sim_step(REQUEST_US);
        changelog->ends[i] = kafka_log(KAFKA_CHANGELOG, i)->end;
        sim_say("kafka: the changelog's partition %d ends at %lld, and what is committed at %lld", i,
                (long long)changelog->ends[i], (long long)kafka_stable_end(kafka_log(KAFKA_CHANGELOG, i)));
    }
    return changelog;
}

void acd_changelog_close(struct acd_changelog *changelog)
{
    free(changelog);
}

int32_t acd_changelog_partitions(const struct acd_changelog *changelog)
{
    return changelog->count;
}

void acd_changelog_bounds(const struct acd_changelog *changelog, int32_t partition, int64_t *first,
                          int64_t *end)
{
    *first = 0;
    *end = changelog->ends[partition];
}

/* The next record of a partition, if it can be read by now. */
static bool read_one(struct acd_changelog *changelog, int32_t partition, struct acd_record *out)
{
    const struct kafka_log *log = kafka_log(KAFKA_CHANGELOG, partition);
    int64_t stable = kafka_stable_end(log);
    int64_t end = changelog->ends[partition] < stable ? changelog->ends[partition] : stable;
    int64_t found = kafka_visible(log, changelog->next[partition], end);
    const struct kafka_record *record = &log->records[found < 0 ? 0 : found];

    if (found < 0) {
        changelog->next[partition] = end > changelog->next[partition] ? end : changelog->next[partition];
        return false;
    }
    changelog->next[partition] = found + 1;
    *out = (struct acd_record){.partition = partition,
                               .offset = found,
                               .timestamp_ms = record->timestamp_ms,
                               .key = record->key,
                               .value = record->value,
                               .message = (void *)(uintptr_t)record};
    return true;
}

int32_t acd_changelog_read(struct acd_changelog *changelog, int timeout_ms, struct acd_record *records,
                           uint32_t max)
{
    uint32_t room = 1 + sim_below(6);
    int32_t count = 0;

    sim_step(REQUEST_US);
    for (int32_t i = 0; i < changelog->count; i++)
        while (room > 0 && (uint32_t)count < max && read_one(changelog, i, &records[count])) {
            sim_say("kafka: changelog %d:%lld %s", i, (long long)records[count].offset,
                    sim_readable(records[count].value, 400));
            count++;
            room--;
        }
    if (count == 0 && !acd_changelog_done(changelog))
        sim_sleep(timeout_ms * MS);
    return count;
}

bool acd_changelog_done(const struct acd_changelog *changelog)
{
    for (int32_t i = 0; i < changelog->count; i++)
        if (changelog->next[i] < changelog->ends[i])
            return false;
    return true;
}

void acd_changelog_progress(const struct acd_changelog *changelog, int64_t *read, int64_t *total)
{
    *read = 0;
    *total = 0;
    for (int32_t i = 0; i < changelog->count; i++) {
        *read += changelog->next[i];
        *total += changelog->ends[i];
    }
}

const char *acd_changelog_error(const struct acd_changelog *changelog)
{
    return "";
}
