/* Whether a command is signed as it must be, by a key that may be used for it. */
#include "accountd/apply.h"
#include "accountd/clock.h"
#include "accountd/hash.h"
#include "worker_parts.h"

static bool refuse(struct acd_worker *worker, struct item *item, const char *field, const char *message)
{
    item->refusal =
        acd_refusal(&worker->arena, ACD_UNAUTHORIZED, acd_slice_str(field), "%s %s", field, message);
    return false;
}

bool acd_item_authenticate(struct acd_worker *worker, struct item *item)
{
    const struct acd_settings *settings = worker->rules->settings;
    const struct acd_record *record = &item->record;
    struct acd_claim *claim = &item->claim;
    struct acd_slice front;
    const char *late;

    acd_claim_read(item->headers, item->header_count, claim);
    if (!claim->made && !settings->auth.required)
        return true;
    if (claim->field)
        return refuse(worker, item, claim->field, claim->wrong);
    front = acd_signed_front(&worker->arena, claim, acd_slice_str(settings->kafka.commands), record->key,
                             record->value);
    switch (acd_keyring_verify(worker->rules->keyring, claim, front, record->value, &item->grant)) {
    case ACD_VERIFIED:
        break;
    case ACD_NOT_VERIFIED:
        return refuse(worker, item, ACD_HEADER_SIGNATURE, "is not that of a key which is known here");
    case ACD_VERIFY_NO_MEMORY:
        acd_arena_no_memory(&worker->arena);
    }
    late = acd_claim_late(claim, record->timestamp_ms, acd_clock_wall_ms(), settings->auth.window_s * 1000);
    return !late || refuse(worker, item, ACD_HEADER_SIGNED_AT, late);
}

void acd_item_authorize(struct acd_worker *worker, struct item *item)
{
    const char *field = acd_grant_forbids(item->grant, &item->command);

    if (field)
        item->refusal =
            acd_refusal(&worker->arena, ACD_UNAUTHORIZED, acd_slice_str(field),
                        "key %.*s may not be used for this %s", ACD_SLICE_ARGS(item->claim.key_id), field);
}

/* ---- None takes effect twice */

/* Ids have no blanks, so that a signature after two of them is none. */
static struct acd_slice id_of(struct acd_worker *worker, const struct item *item)
{
    struct acd_slice own = item->command.id;

    if (own.len)
        return acd_arena_format(&worker->arena, "%.*s %.*s", ACD_SLICE_ARGS(item->claim.key_id),
                                ACD_SLICE_ARGS(own));
    own = acd_claim_signature(&worker->arena, &item->claim);
    return acd_arena_format(&worker->arena, "%.*s  %.*s", ACD_SLICE_ARGS(item->claim.key_id),
                            ACD_SLICE_ARGS(own));
}

/* A batch may be loaded more than once; what it spends is found anew each time. */
static void gather_signed(struct acd_worker *worker, struct batch *batch)
{
    batch->signed_count = 0;
    batch->signed_ones = acd_arena_calloc(&worker->arena, batch->item_count, sizeof(*batch->signed_ones));
    for (uint32_t i = 0; i < batch->item_count; i++) {
        struct item *item = &batch->items[i];

        if (!item->grant || item->refusal.code == ACD_UNAUTHORIZED)
            continue;
        item->spent = &batch->signed_ones[batch->signed_count++];
        *item->spent = (struct acd_spent){.id = id_of(worker, item),
                                          .signed_at_ms = item->claim.signed_at_ms,
                                          .partition = item->partition->id};
    }
}

enum acd_store acd_batch_load_spent(struct acd_worker *worker, struct batch *batch)
{
    const struct acd_settings *settings = worker->rules->settings;

    gather_signed(worker, batch);
    if (batch->signed_count == 0)
        return ACD_STORE_OK;
    batch->spending = (struct acd_spending){
        .spent = acd_arena_calloc(&worker->arena, batch->signed_count, sizeof(*batch->spending.spent)),
        .partitions = worker->shared->own.commands,
        .window_ms = settings->auth.window_s * 1000,
        .ids_max = settings->auth.ids_max};
    for (batch->seen_capacity = 16; batch->seen_capacity < 2 * (size_t)batch->signed_count;)
        batch->seen_capacity *= 2;
    batch->seen = acd_arena_calloc(&worker->arena, batch->seen_capacity, sizeof(*batch->seen));
    return acd_store_spent(worker->store, &worker->arena, batch->signed_ones, batch->signed_count,
                           &batch->floor_ms);
}

/* True when the batch has spent it before; from here on it has. */
static bool was_seen(struct batch *batch, const struct acd_spent *spent)
{
    size_t at = (size_t)acd_hash_finish(acd_hash_text(0, spent->id)) & (batch->seen_capacity - 1);

    while (batch->seen[at]) {
        if (acd_slice_equal(batch->seen[at]->id, spent->id))
            return true;
        at = (at + 1) & (batch->seen_capacity - 1);
    }
    batch->seen[at] = spent;
    return false;
}

void acd_item_spend(struct acd_worker *worker, struct batch *batch, struct item *item)
{
    if (item->spent->signed_at_ms < batch->floor_ms)
        refuse(worker, item, ACD_HEADER_SIGNED_AT,
               "is too old: other commands of that time may have been forgotten; sign it anew");
    else if (item->spent->before || was_seen(batch, item->spent))
        refuse(worker, item, item->command.id.len ? "id" : ACD_HEADER_SIGNATURE,
               "was used before with this key: the command is a repetition");
    else
        batch->spending.spent[batch->spending.count++] = item->spent;
}
