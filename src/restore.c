/* The exact restore: Redis becomes what the changelog says, and nothing else.
 *
 * The changelog is read once, in the order of its partitions. A record whose revision is the highest seen of
 * its account so far goes to Redis; one call writes hundreds, and the next hundreds are decoded meanwhile.
 * Indexes, admin sets and deletions are deleted before and grow with the accounts; hashes are compared and
 * rewritten where they differ, so that who reads Redis beside accountd finds no account missing. Hashes that
 * the changelog does not know go last. */
#include <stdio.h>
#include <stdlib.h>

#include "accountd/clock.h"
#include "accountd/log.h"
#include "accountd/metrics.h"
#include "accountd/recovery.h"
#include "accountd/reply.h"

#define READ_MS   100
#define REPORT_MS 1000

/* ---- The changelog must be whole */

static enum acd_recovered open_changelog(struct acd_recovery *recovery)
{
    char error[256] = "no memory";

    recovery->changelog = acd_changelog_open(recovery->settings, error, sizeof(error));
    if (recovery->changelog) {
        recovery->seen = acd_arena_calloc(
            &recovery->arena, (size_t)acd_changelog_partitions(recovery->changelog), sizeof(*recovery->seen));
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

typedef bool acd_unwanted(const struct acd_recovery *recovery, const struct acd_found *found);

/* Everything that is not an account's hash is made anew. */
static bool is_rebuilt(const struct acd_recovery *recovery, const struct acd_found *found)
{
    return !found->name.data;
}

static bool is_unknown(const struct acd_recovery *recovery, const struct acd_found *found)
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
    do
        result = acd_store_forget(recovery->store, arena, recovery->token, keys, key_count);
    while (acd_recovery_again(recovery, result));
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
    acd_arena_reset(&load->arena);
}

/* Puts the account into the load, in place of an older version of it, unless a newer one was seen before. */
static void place(struct acd_recovery *recovery, struct acd_load *load, struct acd_citizen *citizen,
                  const struct acd_restored *restored)
{
    if (restored->account.revision <= citizen->revision)
        return;
    recovery->accounts += citizen->revision == 0;
    citizen->revision = restored->account.revision;
    citizen->exists = restored->account.exists;
    if (citizen->load != recovery->turn) {
        citizen->load = recovery->turn;
        citizen->slot = load->account_count++;
    }
    load->accounts[citizen->slot] = *restored;
}

static enum acd_recovered decode(struct acd_recovery *recovery, struct acd_load *load)
{
    load->accounts = acd_arena_calloc(&load->arena, load->record_count, sizeof(*load->accounts));
    for (uint32_t i = 0; i < load->record_count; i++) {
        const struct acd_record *record = &load->records[i];
        struct acd_restored restored;
        struct acd_citizen *citizen = NULL;
        const char *wrong = acd_changelog_decode(&load->arena, record->value, &restored.app, &restored.name,
                                                 &restored.account);

        if (!wrong)
            citizen = acd_census_take(&recovery->census, restored.app, restored.name);
        if (!citizen)
            return acd_recovery_impossible(
                recovery,
                "Redis has lost accounts, and the changelog cannot restore them: the record at offset %lld "
                "of %s, partition %d, is not accountd's: %s",
                (long long)record->offset, recovery->settings->kafka.changelog, record->partition,
                wrong ? wrong : "a name is too long");
        recovery->seen[record->partition]++;
        place(recovery, load, citizen, &restored);
    }
    return ACD_RECOVERED;
}

/* Reads the answer to a load that was sent; sends it again where the answer was lost. */
static enum acd_recovered settle(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_store result;
    uint32_t written = 0;

    if (!load->sent)
        return ACD_RECOVERED;
    for (;;) {
        result = acd_store_restore_read(recovery->store, &written);
        load->sent = false;
        if (!acd_recovery_again(recovery, result))
            break;
        load->sent = acd_store_restore_send(recovery->store, &load->arena, recovery->token, load->accounts,
                                            load->account_count) == ACD_STORE_OK;
    }
    if (result != ACD_STORE_OK)
        return acd_recovery_failed(recovery, result);
    recovery->written += written;
    acd_metric_add(ACD_METRIC_RESTORED_ACCOUNTS, load->account_count);
    release(load);
    return ACD_RECOVERED;
}

static void report_progress(struct acd_recovery *recovery)
{
    int64_t read;
    int64_t total;

    acd_changelog_progress(recovery->changelog, &read, &total);
    acd_metric_set(ACD_METRIC_RESTORE_LEFT, total - read);
    if (acd_clock_ms() - recovery->reported_ms >= REPORT_MS)
        acd_recovery_report(recovery, "restoring from the changelog: %lld %% read, %lld accounts",
                            (long long)(total ? 100 * read / total : 100), (long long)recovery->accounts);
}

/* Sends what was read, while the load before it is being written. */
static enum acd_recovered send_load(struct acd_recovery *recovery, struct acd_load *load)
{
    enum acd_recovered step = decode(recovery, load);

    if (step == ACD_RECOVERED)
        step = settle(recovery, &recovery->loads[(recovery->turn + 1) % 2]);
    if (step != ACD_RECOVERED)
        return step;
    /* Where the connection is gone, settling finds out and sends. */
    load->sent = true;
    if (acd_store_restore_send(recovery->store, &load->arena, recovery->token, load->accounts,
                               load->account_count) != ACD_STORE_OK)
        acd_log(ACD_LOG_DEBUG, "restoring: Redis: %s", acd_store_error(recovery->store));
    return ACD_RECOVERED;
}

static enum acd_recovered load_accounts(struct acd_recovery *recovery)
{
    enum acd_recovered step = ACD_RECOVERED;

    while (step == ACD_RECOVERED && !acd_changelog_done(recovery->changelog)) {
        struct acd_load *load = &recovery->loads[++recovery->turn % 2];
        int32_t count = acd_changelog_read(recovery->changelog, READ_MS, load->records, ACD_LOAD_MAX);

        if (count < 0)
            return acd_recovery_impossible(recovery, "the changelog cannot be read: %s",
                                           acd_changelog_error(recovery->changelog));
        load->record_count = (uint32_t)count;
        report_progress(recovery);
        if (!acd_recovery_wait(recovery, 0))
            return ACD_RECOVERY_AGAIN;
        step = send_load(recovery, load);
    }
    for (int i = 1; i <= 2 && step == ACD_RECOVERED; i++)
        step = settle(recovery, &recovery->loads[(recovery->turn + (uint32_t)i) % 2]);
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
    recovery->turn = 0;
    step = sweep(recovery, is_rebuilt);
    if (step == ACD_RECOVERED)
        step = load_accounts(recovery);
    if (step == ACD_RECOVERED)
        step = sweep(recovery, is_unknown);
    acd_metric_set(ACD_METRIC_RESTORE_LEFT, 0);
    return step;
}
