/* A batch: from records to decisions, and from decisions to messages. */
#include "accountd/buffer.h"
#include "accountd/clock.h"
#include "accountd/export.h"
#include "accountd/metrics.h"
#include "accountd/reply.h"
#include "accountd/text.h"
#include "worker_parts.h"

/* ---- Taking records */

static struct acd_slice position_text(struct acd_worker *worker, const struct acd_record *record)
{
    struct acd_slice topic = acd_slice_str(worker->shared->settings->kafka.commands);
    struct acd_buffer text;

    /* Two numbers, of at most 11 and 20 digits. */
    acd_buffer_init(&text, &worker->arena, topic.len + 33);
    acd_buffer_add_slice(&text, topic);
    acd_buffer_add_char(&text, ':');
    acd_buffer_add_int(&text, record->partition);
    acd_buffer_add_char(&text, ':');
    acd_buffer_add_int(&text, record->offset);
    return acd_buffer_slice(&text);
}

/* Where the reply goes, and how it is encoded: known of the worst of commands. */
static void choose_route(struct acd_worker *worker, struct item *item)
{
    const struct acd_record *record = &item->record;

    acd_route(worker->rules->router, &worker->arena, record->key, record->partition, item->headers,
              item->header_count, &item->route);
    item->encoding = acd_codec_choose(item->route.content_type, acd_codec_unframe(record->value));
}

static void read_value(struct acd_worker *worker, struct item *item)
{
    const struct acd_settings *settings = worker->rules->settings;
    const struct acd_record *record = &item->record;
    struct acd_value message;
    const char *malformed;

    if (item->headers_unread)
        malformed = "the record's headers cannot be read; send fewer";
    else if (record->value.len > (size_t)settings->limits.command_bytes)
        malformed = acd_arena_format(&worker->arena, "the command is %zu bytes; at most %lld are allowed",
                                     record->value.len, (long long)settings->limits.command_bytes)
                        .data;
    else
        malformed =
            acd_codec_decode(item->encoding, acd_codec_unframe(record->value), &worker->arena, &message);
    if (malformed)
        item->refusal = acd_refusal(&worker->arena, ACD_MALFORMED, acd_slice(NULL, 0), "%s", malformed);
    else
        item->refusal = acd_command_read(&message, &worker->rules->policy,
                                         item->route.refusal.code ? &item->route.refusal : NULL,
                                         &worker->arena, &item->command);
}

void acd_batch_read_again(struct acd_worker *worker, struct item *item)
{
    choose_route(worker, item);
    read_value(worker, item);
}

/* Reads key, headers and value. A record that ended the process before is not looked into. */
static void decode(struct acd_worker *worker, struct item *item)
{
    item->headers_unread =
        acd_record_headers(&item->record, &worker->arena, &item->headers, &item->header_count) != 0;
    choose_route(worker, item);
    if (item->partition->set_aside) {
        item->refusal = acd_refusal(
            &worker->arena, ACD_INTERNAL, acd_slice(NULL, 0),
            "accountd ended %d times while it worked on this command, and set it aside", ATTEMPTS_MAX);
        return;
    }
    if (worker->rules->keyring && !acd_item_authenticate(worker, item))
        return;
    read_value(worker, item);
    if (item->grant)
        acd_item_authorize(worker, item);
}

static bool is_busy(const struct acd_worker *worker, uint64_t hash)
{
    for (uint32_t i = 0; i < worker->busy_count; i++)
        if (worker->busy[i] == hash)
            return true;
    return false;
}

/* Before the accounts are loaded: a delete may be that of an admin. */
static bool may_touch_admins(const struct acd_command *command)
{
    bool may = command->op == ACD_DELETE;

    for (uint32_t i = 0; i < command->target_count && !may; i++)
        may = command->op == ACD_CREATE && command->targets[i].type == ACD_ADMIN;
    return may;
}

/* True when the item's accounts belong to its partition in this batch. An account that one partition touches
 * may not be touched by another one of the same commit: after a rebalance different owners publish the two
 * parts. */
static bool claim(struct acd_worker *worker, struct batch *batch, struct item *item)
{
    const struct acd_command *command = &item->command;

    item->entries = acd_state_entries(&batch->state, command);
    for (uint32_t i = 0; i < command->target_count; i++) {
        struct acd_entry *entry = item->entries[i];

        if (entry->partition == ACD_NO_PARTITION)
            entry->partition = item->partition->id;
        if (entry->partition != item->partition->id || is_busy(worker, entry->hash))
            return false;
    }
    return !may_touch_admins(command) || !is_busy(worker, acd_state_hash(command->app, acd_slice(NULL, 0)));
}

static void want(struct batch *batch, const struct item *item)
{
    const struct acd_command *command = &item->command;

    for (uint32_t i = 0; item->refusal.code == ACD_OK && i < command->target_count; i++) {
        struct acd_entry *entry = item->entries[i];

        if (!entry->wanted)
            entry->fresh = command->op == ACD_CREATE && command->on_exists == ACD_EXISTS_ERROR;
        entry->wanted = true;
    }
    if (item->refusal.code == ACD_OK && may_touch_admins(command))
        acd_state_app(&batch->state, command->app)->admins_wanted = true;
}

static struct part *part_of(struct batch *batch, struct partition *partition)
{
    struct part *part = batch->part_count ? &batch->parts[batch->part_count - 1] : NULL;

    if (part && part->partition == partition)
        return part;
    part = &batch->parts[batch->part_count++];
    *part = (struct part){.partition = partition};
    return part;
}

/* What a batch may still take. */
struct room {
    uint32_t records;
    size_t bytes;
    size_t accounts;
    bool lists_only; /* a list reads what is committed: batches hold lists only, or none */
    bool mixed;      /* nothing was taken yet: either kind */
};

static bool fits(struct room *room, const struct item *item)
{
    bool list = item->refusal.code == ACD_OK && item->command.op == ACD_LIST;
    size_t accounts = list ? (size_t)item->command.list_limit : item->command.target_count;

    if (!room->mixed && (list != room->lists_only || accounts > room->accounts))
        return false;
    room->lists_only = list;
    room->mixed = false;
    room->accounts -= accounts < room->accounts ? accounts : room->accounts;
    return true;
}

static void take_from(struct acd_worker *worker, struct batch *batch, struct partition *partition,
                      struct room *room)
{
    uint32_t waiting = partition->queued - partition->applied;
    uint32_t limit = waiting < room->records ? waiting : room->records;

    if (partition->careful && limit > 1)
        limit = 1;
    for (uint32_t n = 0; n < limit && room->bytes > 0 && worker->arena.allocated < BATCH_MEMORY_MAX; n++) {
        struct item *item = &batch->items[batch->item_count];
        struct part *part;

        *item = (struct item){.partition = partition,
                              .record = *partition_record(partition, partition->applied + n)};
        decode(worker, item);
        if (!fits(room, item) || (item->refusal.code == ACD_OK && !claim(worker, batch, item)))
            return;
        want(batch, item);
        part = part_of(batch, partition);
        if (part->taken++ == 0)
            part->from = item->record.offset;
        batch->item_count++;
        room->records--;
        room->bytes -= item->record.value.len < room->bytes ? item->record.value.len : room->bytes;
        if (partition->set_aside)
            return;
    }
}

bool acd_batch_takes(const struct acd_worker *worker, const struct partition *partition)
{
    return partition->phase == RUNNING && partition->queued > partition->applied &&
           (worker->alone ? partition == worker->alone
                          : !partition->careful && !acd_batch_has_run(worker, partition));
}

bool acd_batch_may_run(const struct acd_worker *worker, const struct partition *partition)
{
    return partition->proven && !worker->rules->keyring && !worker->one_by_one;
}

/* What Redis gets in one call of what may be answered together: it serves nobody else meanwhile. */
#define CALLS 4

static uint32_t batch_max(const struct acd_worker *worker)
{
    return (uint32_t)worker->rules->settings->worker.batch_max;
}

static uint32_t share(const struct acd_worker *worker)
{
    return batch_max(worker) < CALLS ? 1 : batch_max(worker) / CALLS;
}

bool acd_batch_has_run(const struct acd_worker *worker, const struct partition *partition)
{
    return partition->phase == RUNNING && partition->queued > share(worker) &&
           acd_batch_may_run(worker, partition);
}

bool acd_batch_has_room(const struct acd_worker *worker, const struct partition *partition, bool only_new)
{
    return partition->applied + share(worker) <= batch_max(worker) * (only_new ? 2 : 1);
}

static uint32_t records_max(const struct acd_worker *worker)
{
    return worker->alone && acd_batch_may_run(worker, worker->alone) ? share(worker) : batch_max(worker);
}

void acd_batch_take(struct acd_worker *worker, struct batch *batch)
{
    struct room room = {records_max(worker), BATCH_INPUT_MAX, BATCH_ACCOUNTS_MAX, false, true};
    uint32_t expected = worker->queued < room.records ? worker->queued : room.records;

    *batch = (struct batch){.began_us = acd_clock_us()};
    batch->stage_us = batch->began_us;
    acd_state_init(&batch->state, &worker->arena, expected);
    batch->items = acd_arena_alloc(&worker->arena, ((size_t)expected + 1) * sizeof(*batch->items));
    batch->parts = acd_arena_calloc(&worker->arena, worker->partition_count, sizeof(*batch->parts));
    for (uint32_t i = 0;
         i < worker->partition_count && room.records > 0 && worker->arena.allocated < BATCH_MEMORY_MAX; i++) {
        struct partition *partition = &worker->partitions[(worker->turn + i) % worker->partition_count];

        if (acd_batch_takes(worker, partition))
            take_from(worker, batch, partition, &room);
        if (worker->one_by_one && batch->part_count)
            break;
    }
    worker->one_by_one -= worker->one_by_one > 0;
    worker->none_fresh -= worker->none_fresh > 0;
}

/* ---- Loading */

static enum acd_store load_lists(struct acd_worker *worker, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->item_count; i++) {
        struct item *item = &batch->items[i];
        enum acd_store result;

        if (item->refusal.code != ACD_OK || item->command.op != ACD_LIST)
            continue;
        result = acd_store_list(worker->store, &worker->arena, &item->command, &item->page);
        if (result != ACD_STORE_OK)
            return result;
        for (uint32_t n = 0; n < item->page.count; n++) {
            struct acd_entry *entry = acd_state_entry(&batch->state, item->command.app, item->page.names[n]);

            entry->partition = item->partition->id;
            entry->wanted = true;
        }
    }
    return ACD_STORE_OK;
}

/* Accounts that were created anew since the index was read stand at another place in it now. A cached one may
 * be the older of the two: it is forgotten. */
static bool any_moved(struct acd_worker *worker, const struct batch *batch, const struct item *item)
{
    bool moved = false;

    for (uint32_t n = 0; n < item->page.count; n++) {
        struct acd_entry *entry = acd_state_find(&batch->state, item->command.app, item->page.names[n]);

        if (entry->base->exists && entry->base->created_at_ms != item->page.created_at_ms[n]) {
            acd_cache_drop(worker->cache, entry->hash, entry->app->name, entry->name);
            /* It was the cache's, and another list's rows may have it, too. */
            entry->base = &acd_account_none;
            moved = true;
        }
    }
    return moved;
}

/* Lists that have to be read once more. */
static bool lists_moved(struct acd_worker *worker, const struct batch *batch)
{
    bool moved = false;

    for (uint32_t i = 0; i < batch->item_count && worker->lists_refused < LIST_TRIES_MAX; i++)
        moved |= any_moved(worker, batch, &batch->items[i]);
    worker->lists_refused += moved;
    return moved;
}

enum acd_store acd_batch_load(struct acd_worker *worker, struct batch *batch)
{
    enum acd_store result = load_lists(worker, batch);
    int64_t hits = 0;
    int64_t misses = 0;
    /* Rows that no commit will compare are read from Redis: a cached one may be as old as it likes. */
    bool uncached = worker->lists_refused >= LIST_TRIES_MAX && batch->items[0].command.op == ACD_LIST;

    for (struct acd_entry *entry = batch->state.entries; entry; entry = entry->next) {
        if (uncached)
            acd_cache_drop(worker->cache, entry->hash, entry->app->name, entry->name);
        entry->base = acd_cache_get(worker->cache, entry->hash, entry->app->name, entry->name);
        entry->cached = entry->base != NULL;
        *(entry->base ? &hits : &misses) += entry->wanted;
        /* Named only by a command that has to wait: whatever is wrong with it is not this batch's matter. One
         * to be created is not read: the commit will say when there is one. */
        if (!entry->wanted || (!entry->base && entry->fresh && worker->none_fresh == 0))
            entry->base = &acd_account_none;
        entry->current = entry->base;
    }
    acd_metric_add(ACD_METRIC_CACHE_HITS, hits);
    acd_metric_add(ACD_METRIC_CACHE_MISSES, misses);
    if (result == ACD_STORE_OK)
        result = acd_store_load(worker->store, &worker->arena, &batch->state);
    if (result == ACD_STORE_OK && worker->rules->keyring)
        result = acd_batch_load_spent(worker, batch);
    return result == ACD_STORE_OK && lists_moved(worker, batch) ? ACD_STORE_STALE : result;
}

/* ---- Deciding */

/* False when another partition of this batch has touched the app's admin set: as with accounts, one of them
 * waits. */
static bool claim_admins(struct batch *batch, const struct item *item)
{
    struct acd_app *app;

    if (!acd_apply_needs_admins(&item->command, item->entries))
        return true;
    app = acd_state_app(&batch->state, item->command.app);
    if (app->partition == ACD_NO_PARTITION)
        app->partition = item->partition->id;
    return app->partition == item->partition->id;
}

static struct acd_answer answer_list(struct acd_worker *worker, struct batch *batch, const struct item *item)
{
    struct acd_row *rows = acd_arena_calloc(&worker->arena, item->page.count, sizeof(*rows));
    struct acd_answer answer = {.rows = rows, .total = item->page.total, .more = item->page.more};

    for (uint32_t n = 0; n < item->page.count; n++) {
        struct acd_entry *entry = acd_state_find(&batch->state, item->command.app, item->page.names[n]);

        entry->touched = worker->lists_refused < LIST_TRIES_MAX;
        /* Deleted between the two reads: as if the index had been read later. */
        if (entry->current->exists)
            rows[answer.row_count++] = (struct acd_row){entry->name, entry->current};
        else
            answer.total--;
    }
    return answer;
}

static void touch(const struct item *item)
{
    for (uint32_t i = 0; i < item->command.target_count; i++)
        item->entries[i]->touched = true;
}

static struct acd_answer decide(struct acd_worker *worker, struct batch *batch, const struct item *item,
                                int64_t at_ms)
{
    if (item->refusal.code != ACD_OK)
        return acd_refuse(item->refusal);
    if (item->command.op == ACD_LIST)
        return answer_list(worker, batch, item);
    touch(item);
    return acd_apply(&worker->arena, &item->command, item->entries, &worker->rules->policy, at_ms);
}

struct acd_origin acd_batch_origin(const struct acd_worker *worker, const struct item *item)
{
    return (struct acd_origin){acd_slice_str(worker->shared->settings->kafka.commands),
                               item->record.partition, item->record.offset,
                               acd_time_clamp(item->record.timestamp_ms)};
}

/* Decides one command and adds all that it publishes to its partition's messages. */
static void decide_item(struct acd_worker *worker, struct batch *batch, struct part *part, struct item *item)
{
    const struct acd_record *record = &item->record;
    struct acd_slice position = position_text(worker, record);
    struct acd_slice id = item->command.id.len ? item->command.id : position;
    struct acd_origin origin = acd_batch_origin(worker, item);
    struct acd_answer answer = decide(worker, batch, item, origin.at_ms);
    struct acd_export file;
    const struct acd_manifest *manifest = NULL;
    struct acd_slice value;

    if (item->command.every && answer.status == ACD_STATUS_OK) {
        struct acd_refusal refusal = acd_jobs_open(worker, part, item, position);

        if (refusal.code == ACD_OK)
            return;
        answer = acd_refuse(refusal);
    } else if (item->command.op == ACD_EXPORT && answer.ok_count > 0) {
        if (acd_export_build(&worker->arena, &item->command, &answer, id, &origin,
                             (size_t)worker->shared->settings->limits.chunk_bytes, &file)) {
            answer =
                acd_refuse(acd_refusal(&worker->arena, ACD_INTERNAL, acd_slice(NULL, 0),
                                       "the file could not be compressed for want of memory; try again"));
        } else {
            manifest = &file.manifest;
            acd_messages_chunks(worker, part, &file);
            acd_messages_manifest(worker, part, manifest);
        }
    }
    value = acd_reply_encode(&worker->arena, item->encoding, &item->command, &answer, id, &origin, manifest);
    acd_messages_reply(worker, part, item, &answer, value, position);
    acd_messages_changes(worker, part, item, &answer);
    item->dead_letter = answer.refusal.code == ACD_MALFORMED || item->partition->set_aside;
    if (item->dead_letter)
        acd_messages_dead_letter(worker, part, item, &answer.refusal);
    item->answered = answer.refusal;
    item->decided = true;
}

void acd_batch_decide(struct acd_worker *worker, struct batch *batch)
{
    uint32_t next = 0;
    size_t bytes = 0;
    bool full = false;
    uint32_t kept = 0;

    for (uint32_t p = 0; p < batch->part_count; p++) {
        struct part *part = &batch->parts[p];
        uint32_t decided = 0;
        uint32_t end = next + part->taken;

        for (; next < end && !full; next++) {
            struct item *item = &batch->items[next];

            if (item->refusal.code == ACD_OK && !claim_admins(batch, item))
                break;
            if (item->spent)
                acd_item_spend(worker, batch, item);
            decide_item(worker, batch, part, item);
            part->last = item->record.offset;
            decided++;
            full = bytes + part->messages.bytes > BATCH_OUTPUT_MAX;
        }
        next = end;
        bytes += part->messages.bytes;
        part->taken = decided;
        if (decided)
            batch->parts[kept++] = *part;
    }
    batch->part_count = kept;
    batch->only_new = acd_state_only_new(&batch->state);
}
