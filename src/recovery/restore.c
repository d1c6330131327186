/* The exact restore: Redis becomes what the changelog says, and nothing else.
 *
 * The changelog is read once, all partitions side by side. A record whose revision is the highest seen of its
 * account so far goes to Redis; one call writes hundreds, and the next hundreds are decoded meanwhile.
 * Indexes, admin sets and deletions are deleted before and grow with the accounts; a hash is replaced at
 * once, so that who reads Redis beside accountd finds no account missing. Hashes that the changelog does not
 * know go last. */
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/recovery.h"
#include "accountd/reply.h"

#define READ_MS   100
#define REPORT_MS 1000

/* Records in the changelog that are not accountd's; with more, nothing is to be hoped for. */
#define SPOILT_MAX 1000

/* ---- The changelog must be whole */

static enum acd_recovered open_changelog(struct acd_recovery *recovery)
{
    char error[256] = "no memory";

    recovery->changelog = acd_changelog_open(recovery->settings, error, sizeof(error));
    if (!acd_recovery_extend(recovery))
        return ACD_RECOVERY_AGAIN;
    if (recovery->changelog) {
        size_t partitions = (size_t)acd_changelog_partitions(recovery->changelog);

        recovery->seen = acd_arena_calloc(&recovery->arena, partitions, sizeof(*recovery->seen));
        recovery->jobs = acd_arena_calloc(&recovery->arena, partitions, sizeof(*recovery->jobs));
        return ACD_RECOVERED;
    }
    acd_recovery_report(recovery, "restoring: Kafka: %s", error);
    acd_recovery_wait(recovery, READ_MS);
    return ACD_RECOVERY_AGAIN;
}

/* A changelog that was cut or made anew would restore to too little. Tokens say up to where it went at least;
 * compaction never moves its beginning. */
static enum acd_recovered check_changelog(struct acd_recovery *recovery,
                                          const struct acd_committed *committed, int32_t partitions)
{
    const char *topic = recovery->settings->kafka.changelog;
    struct acd_token token;
    int64_t first;
    int64_t end;

    for (int32_t i = 0; i < acd_changelog_partitions(recovery->changelog); i++) {
        acd_changelog_bounds(recovery->changelog, i, &first, &end);
        if (first > 0)
            return acd_recovery_impossible(
                recovery,
                "Redis has lost accounts, and the changelog cannot restore them: the records before offset "
                "%lld of %s, partition %d, were deleted",
                (long long)first, topic, i);
    }
    for (int32_t i = 0; i < partitions; i++) {
        if (!committed[i].exists || !acd_token_parse(committed[i].metadata, &token))
            continue;
        end = 0;
        if (i < acd_changelog_partitions(recovery->changelog))
            acd_changelog_bounds(recovery->changelog, i, &first, &end);
        if (end < token.changelog_end)
            return acd_recovery_impossible(
                recovery,
                "Redis has lost accounts, and the changelog cannot restore them: %s, partition %d, ends at "
                "offset %lld and went to %lld at least",
                topic, i, (long long)end, (long long)token.changelog_end);
    }
    return ACD_RECOVERED;
}

/* ---- Sweeps over Redis' keys */

typedef bool acd_unwanted(struct acd_recovery *recovery, const struct acd_found *found);

/* Everything that is not an account's hash is made anew. */
static bool is_rebuilt(struct acd_recovery *recovery, const struct acd_found *found)
{
    recovery->empty = recovery->empty && !found->name.data;
    return !found->name.data;
}

static bool is_unknown(struct acd_recovery *recovery, const struct acd_found *found)
{
    const struct acd_citizen *citizen =
        found->name.data ? acd_census_find(&recovery->census, found->app, found->name) : NULL;

    return found->name.data && (!citizen || !citizen->exists);
}

static enum acd_recovered forget(struct acd_recovery *recovery, struct acd_arena *arena,
                                 const struct acd_found *found, uint32_t count, acd_unwanted *unwanted)
{
    struct acd_slice *keys = acd_arena_calloc(arena, count, sizeof(*keys));
    uint32_t key_count = 0;
    enum acd_store result;

    for (uint32_t i = 0; i < count; i++)
        if (unwanted(recovery, &found[i]))
            keys[key_count++] = found[i].key;
    /* Never sent again when the answer was lost: it may come late, and delete what was made anew since. The
     * next attempt has another token, and that stops it. */
    do
        result = acd_store_forget(recovery->store, arena, recovery->token, keys, key_count);
    while (result == ACD_STORE_LATER && acd_recovery_again(recovery, result));
    return result == ACD_STORE_OK ? ACD_RECOVERED : acd_recovery_failed(recovery, result);
}

static enum acd_recovered sweep(struct acd_recovery *recovery, acd_unwanted *unwanted)
{
    struct acd_arena *arena = &recovery->loads[0].arena;
    enum acd_recovered step = ACD_RECOVERED;
    uint64_t cursor = 0;

    do {
        struct acd_found *found;
        uint32_t count;
        enum acd_store result;

        acd_arena_reset(arena);
        do
            result = acd_store_sweep(recovery->store, arena, &cursor, &found, &count);
        while (acd_recovery_again(recovery, result));
        if (result != ACD_STORE_OK)
            return acd_recovery_failed(recovery, result);
        step = forget(recovery, arena, found, count, unwanted);
    } while (step == ACD_RECOVERED && cursor != 0 && acd_recovery_wait(recovery, 0));
    return step == ACD_RECOVERED && cursor != 0 ? ACD_RECOVERY_AGAIN : step;
}

/* ---- From the changelog to Redis */

static void release(struct acd_load *load)
{
    while (load->record_count > 0)
        acd_record_release(&load->records[--load->record_count]);
    load->account_count = 0;
    load->under_way = false;
    acd_arena_reset(&load->arena);
}

/* Puts the account into the load, in place of an older version of it, unless a newer one was seen before. */
static void place(struct acd_recovery *recovery, struct acd_load *load, struct acd_citizen *citizen,
                  struct acd_restored *restored)
{
    if (restored->account.revision <= citizen->revision)
        return;
    recovery->accounts += citizen->revision == 0;
    if (citizen->load != recovery->turn) {
        citizen->slot = load->account_count++;
        load->accounts[citizen->slot].again = citizen->revision > 0;
    }
    restored->again = load->accounts[citizen->slot].again;
    load->accounts[citizen->slot] = *restored;
    citizen->load = recovery->turn;
    citizen->revision = restored->account.revision;
    citizen->exists = restored->account.exists;
}

/* An absent value stays absent. */
static struct acd_slice copy_value(struct acd_arena *arena, struct acd_slice value)
{
    return value.data ? acd_arena_copy(arena, value) : value;
}

/* Open jobs are few; they go to Redis when all records are read. Returns what is wrong with the record, or
 * NULL. */
static const char *take_job(struct acd_recovery *recovery, const struct acd_record *record)
{
    struct acd_arena *arena = &recovery->arena;
    struct acd_outgoing message = {.topic = acd_slice_str(recovery->settings->kafka.changelog),
                                   .partition = record->partition,
                                   .key = acd_arena_copy(arena, record->key)};
    const struct acd_header *headers = NULL;
    struct acd_header *kept;
    struct acd_job job;
    bool read = acd_record_headers(record, arena, &headers, &message.header_count) == 0;

    kept = acd_arena_calloc(arena, message.header_count, sizeof(*kept));
    for (uint32_t i = 0; i < message.header_count; i++)
        kept[i] =
            (struct acd_header){acd_arena_copy(arena, headers[i].name), copy_value(arena, headers[i].value)};
    message.headers = kept;
    message.value = copy_value(arena, record->value);
    if (!read || (message.value.data && !acd_job_read(&message, &job)))
        return "it is not an export's";
    acd_jobs_follow(arena, &recovery->jobs[record->partition], &message);
    return NULL;
}

static bool is_key_of(struct acd_slice key, struct acd_slice app, struct acd_slice name)
{
    return key.len == app.len + name.len + 1 && memcmp(key.data, app.data, app.len) == 0 &&
           key.data[app.len] == '/' && memcmp(key.data + app.len + 1, name.data, name.len) == 0;
}

/* Returns what is wrong with the record, or NULL. */
static const char *take_account(struct acd_recovery *recovery, struct acd_load *load,
                                const struct acd_record *record)
{
    struct acd_restored restored = {.again = false};
    struct acd_citizen *citizen;
    const char *wrong =
        acd_changelog_decode(&load->arena, record->value, &restored.app, &restored.name, &restored.account);

    if (wrong)
        return wrong;
    /* Compaction goes by keys: under another one it would outlive the account's next change. */
    if (!is_key_of(record->key, restored.app, restored.name))
        return "it stands under another account's key";
    citizen = acd_census_take(&recovery->census, restored.app, restored.name);
    if (!citizen)
        return "a name is too long";
    place(recovery, load, citizen, &restored);
    return NULL;
}

/* A record that is not accountd's may hide one that was compacted since, unless it was written over itself:
 * the last record of a key is what the log keeps in the end. */
static enum acd_recovered follow_spoilt(struct acd_recovery *recovery, const struct acd_record *record,
                                        const char *wrong)
{
    struct acd_spoilt **at = &recovery->spoilt;
    struct acd_spoilt *spoilt;

    while (*at && ((*at)->partition != record->partition || !acd_slice_equal((*at)->key, record->key)))
        at = &(*at)->next;
    if (*at) {
        *at = (*at)->next;
        recovery->spoilt_count--;
    }
    if (!wrong)
        return ACD_RECOVERED;
    spoilt = acd_arena_calloc(&recovery->arena, 1, sizeof(*spoilt));
    *spoilt = (struct acd_spoilt){recovery->spoilt, record->partition, record->offset,
                                  acd_arena_copy(&recovery->arena, record->key),
                                  acd_arena_format(&recovery->arena, "%s", wrong)};
    recovery->spoilt = spoilt;
    return ++recovery->spoilt_count < SPOILT_MAX ? ACD_RECOVERED : ACD_RECOVERY_IMPOSSIBLE;
}

/* Names the first of those that were not written over. */
static enum acd_recovered tell_spoilt(struct acd_recovery *recovery)
{
    const struct acd_spoilt *spoilt = recovery->spoilt;

    while (spoilt->next)
        spoilt = spoilt->next;
    return acd_recovery_impossible(
        recovery,
        "Redis has lost accounts, and the changelog cannot restore them: the record at offset %lld of %s, "
        "partition %d, is not accountd's: %.*s",
        (long long)spoilt->offset, recovery->settings->kafka.changelog, spoilt->partition,
        ACD_SLICE_ARGS(spoilt->wrong));
}

static enum acd_recovered decode(struct acd_recovery *recovery, struct acd_load *load)
{
    load->accounts = acd_arena_calloc(&load->arena, load->record_count, sizeof(*load->accounts));
    for (uint32_t i = 0; i < load->record_count; i++) {
        const struct acd_record *record = &load->records[i];
        const char *wrong =
            acd_job_is(record->key) ? take_job(recovery, record) : take_account(recovery, load, record);

        recovery->seen[record->partition]++;
        if ((wrong || recovery->spoilt) && follow_spoilt(recovery, record, wrong) != ACD_RECOVERED)
            return tell_spoilt(recovery);
    }
    return ACD_RECOVERED;
}

/* After a failure the answers to other loads may still be to come, and would be taken for those of this one:
 * everything that is under way is sent anew over a new connection. */
static void drop_connection(struct acd_recovery *recovery)
{
    acd_store_disconnect(recovery->store);
    for (size_t i = 0; i < ACD_LOADS; i++)
        recovery->loads[i].sent = false;
}

static enum acd_store send_load(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_store result = acd_store_restore_send(recovery->store, &load->arena, recovery->token, load->call,
                                                   load->accounts, load->account_count, recovery->empty);

    load->sent = result == ACD_STORE_OK;
    if (result != ACD_STORE_OK)
        drop_connection(recovery);
    return result;
}

/* Waits for the answer to a load, and sends it where that was not possible before. */
static enum acd_recovered settle(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_store result;

    do {
        result = load->sent ? ACD_STORE_OK : send_load(recovery, load);
        load->sent = false;
        if (result == ACD_STORE_OK)
            result = acd_store_restore_read(recovery->store);
        if (result == ACD_STORE_OK)
            return ACD_RECOVERED;
        drop_connection(recovery);
    } while (acd_recovery_again(recovery, result));
    return acd_recovery_failed(recovery, result);
}

/* Sees a load out. */
static enum acd_recovered finish_load(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_recovered step = load->under_way ? settle(recovery, load) : ACD_RECOVERED;

    if (step != ACD_RECOVERED || !load->under_way)
        return step;
    acd_metric_add(ACD_METRIC_RESTORED_ACCOUNTS, load->account_count);
    release(load);
    return ACD_RECOVERED;
}

static void report_progress(struct acd_recovery *recovery)
{
    int64_t read;
    int64_t total;

    acd_changelog_progress(recovery->changelog, &read, &total);
    acd_metric_set(ACD_METRIC_RESTORE_RECORDS, total);
    acd_metric_set(ACD_METRIC_RESTORE_LEFT, total - read);
    if (acd_clock_ms() - recovery->reported_ms >= REPORT_MS)
        acd_recovery_report(recovery, "restoring from the changelog: %lld %% read, %lld accounts",
                            (long long)(total ? 100 * read / total : 100), (long long)recovery->accounts);
}

/* Brings one load of records on its way, and sees the oldest out. Those that have to be sent again go before
 * it. */
static enum acd_recovered take_load(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_recovered step = decode(recovery, load);

    for (uint32_t i = 1; i < ACD_LOADS && step == ACD_RECOVERED; i++) {
        struct acd_load *before = &recovery->loads[(recovery->turn + i) % ACD_LOADS];

        if (i == 1 || !before->sent)
            step = finish_load(recovery, before);
    }
    if (step != ACD_RECOVERED)
        return step;
    load->under_way = true;
    load->call = ++recovery->calls;
    if (send_load(recovery, load) != ACD_STORE_OK)
        acd_log(ACD_LOG_DEBUG, "restoring: Redis: %s", acd_store_error(recovery->store));
    return ACD_RECOVERED;
}

static enum acd_recovered load_accounts(struct acd_recovery *recovery)
{
    enum acd_recovered step = ACD_RECOVERED;

    while (step == ACD_RECOVERED && !acd_changelog_done(recovery->changelog)) {
        struct acd_load *load = &recovery->loads[++recovery->turn % ACD_LOADS];
        int32_t count = acd_changelog_read(recovery->changelog, READ_MS, load->records, ACD_LOAD_MAX);

        if (count < 0)
            return acd_recovery_impossible(recovery, "the changelog cannot be read: %s",
                                           acd_changelog_error(recovery->changelog));
        load->record_count = (uint32_t)count;
        report_progress(recovery);
        if (!acd_recovery_wait(recovery, 0))
            return ACD_RECOVERY_AGAIN;
        step = take_load(recovery, load);
    }
    for (uint32_t i = 1; i <= ACD_LOADS && step == ACD_RECOVERED; i++)
        step = finish_load(recovery, &recovery->loads[(recovery->turn + i) % ACD_LOADS]);
    return step;
}

enum acd_recovered acd_recovery_restore(struct acd_recovery *recovery, const struct acd_committed *committed,
                                        int32_t partitions)
{
    enum acd_recovered step = open_changelog(recovery);

    if (step == ACD_RECOVERED)
        step = check_changelog(recovery, committed, partitions);
    if (step != ACD_RECOVERED)
        return step;
    acd_census_init(&recovery->census, &recovery->names);
    recovery->calls = 0;
    recovery->turn = 0;
    recovery->empty = true;
    step = sweep(recovery, is_rebuilt);
    if (step == ACD_RECOVERED)
        step = load_accounts(recovery);
    if (step == ACD_RECOVERED && recovery->spoilt)
        step = tell_spoilt(recovery);
    if (step == ACD_RECOVERED)
        step = sweep(recovery, is_unknown);
    acd_metric_set(ACD_METRIC_RESTORE_RECORDS, 0);
    acd_metric_set(ACD_METRIC_RESTORE_LEFT, 0);
    return step;
}
