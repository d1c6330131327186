/* The commit: what a batch changed, as the arguments of one call, and the call's verdict. */
#include <stdio.h>

#include "accountd/buffer.h"
#include "accountd/text.h"
#include "handle.h"
#include "shapes.h"

/* What is being put together. */
struct call {
    struct acd_args args;
    struct acd_args fields; /* of one account: name and value by turns */
    struct acd_args gone;   /* … names of fields to remove */
    struct acd_slice *names;
    uint32_t name_capacity;
    struct acd_shapes shapes;
};

/* A hole for a count that is known only after what it counts. */
static uint32_t add_hole(struct acd_args *args)
{
    acd_args_str(args, "");
    return args->count - 1;
}

static void fill_hole(struct acd_args *args, uint32_t hole, int64_t number)
{
    struct acd_slice text = acd_buffer_int(args->arena, number);

    args->values[hole] = text.data;
    args->lengths[hole] = text.len;
    args->bytes += text.len;
}

static void add_pair(struct acd_args *args, const char *name, struct acd_slice value)
{
    acd_args_str(args, name);
    acd_args_add(args, value);
}

static void add_number(struct acd_args *args, const char *name, int64_t before, int64_t now)
{
    if (before == now)
        return;
    acd_args_str(args, name);
    acd_args_int(args, now);
}

static struct acd_slice custom_name(struct acd_args *args, struct acd_slice tag)
{
    static const char prefix[] = "custom.";
    const size_t prefix_len = sizeof(prefix) - 1;
    char *name = acd_arena_alloc(args->arena, prefix_len + tag.len);

    memcpy(name, prefix, prefix_len);
    memcpy(name + prefix_len, tag.data, tag.len);
    return acd_slice(name, prefix_len + tag.len);
}

/* Both lists are in byte order of the tags: a merge. Adds what is to be set, or what is to be removed. */
static void add_custom(struct acd_args *args, const struct acd_account *old, const struct acd_account *new,
                       bool removed)
{
    uint32_t i = 0;
    uint32_t j = 0;

    while (i < old->custom_count || j < new->custom_count) {
        int order = i == old->custom_count   ? 1
                    : j == new->custom_count ? -1
                                             : acd_slice_compare(old->custom[i].tag, new->custom[j].tag);

        if (order < 0 && removed)
            acd_args_add(args, custom_name(args, old->custom[i].tag));
        if (order >= 0 && !removed &&
            (order || !acd_slice_equal(old->custom[i].value, new->custom[j].value))) {
            acd_args_add(args, custom_name(args, new->custom[j].tag));
            acd_args_add(args, new->custom[j].value);
        }
        i += order <= 0;
        j += order >= 0;
    }
}

void acd_store_fields(struct acd_args *args, const struct acd_account *old, const struct acd_account *new)
{
    if (!new->exists)
        return;
    if (old->type != new->type)
        add_pair(args, "type", acd_slice_str(acd_type_text(new->type)));
    add_number(args, "rev", old->exists ? old->revision : -1, new->revision);
    add_number(args, "created_at", old->exists ? old->created_at_ms : -1, new->created_at_ms);
    add_number(args, "updated_at", old->exists ? old->updated_at_ms : -1, new->updated_at_ms);
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        if (new->fields[f].len && !acd_slice_equal(old->fields[f], new->fields[f]))
            add_pair(args, acd_field_rules[f].name, new->fields[f]);
    add_custom(args, old, new, false);
}

static void add_removals(struct acd_args *args, const struct acd_account *old, const struct acd_account *new)
{
    if (!old->exists || !new->exists)
        return;
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        if (old->fields[f].len && !new->fields[f].len)
            acd_args_str(args, acd_field_rules[f].name);
    add_custom(args, old, new, true);
}

static const char *kind_of(const struct acd_account *old, const struct acd_account *new)
{
    if (new == old)
        return "read";
    if (!new->exists)
        return "delete";
    return !old->exists && old->revision > 0 ? "revive" : "write";
}

static const char *admin_change(const struct acd_account *old, const struct acd_account *new)
{
    bool was_admin = old->exists && old->type == ACD_ADMIN;
    bool is_admin = new->exists &&new->type == ACD_ADMIN;

    return was_admin == is_admin ? "" : is_admin ? "+" : "-";
}

static void add_name(struct call *call, struct acd_shape *shape, const char *text, size_t len)
{
    uint32_t at = shape->set_count + shape->gone_count;

    if (at == call->name_capacity) {
        uint32_t capacity = call->name_capacity ? 2 * call->name_capacity : 64;
        struct acd_slice *names = acd_arena_alloc(call->args.arena, capacity * sizeof(*names));

        if (at)
            memcpy(names, call->names, at * sizeof(*names));
        call->names = names;
        call->name_capacity = capacity;
    }
    call->names[at] = acd_slice(text, len);
    shape->names = call->names;
}

/* The number of the shape, then the values. */
static void add_difference(struct call *call, const struct acd_entry *entry)
{
    const struct acd_account *old = entry->base;
    const struct acd_account *new = entry->current;
    struct acd_shape shape = {
        entry->partition, kind_of(old, new), admin_change(old, new), NULL, 0, 0, 0, 0, NULL, NULL};

    acd_args_clear(&call->fields);
    acd_args_clear(&call->gone);
    if (new != old) {
        acd_store_fields(&call->fields, old, new);
        add_removals(&call->gone, old, new);
    }
    for (uint32_t i = 0; i < call->fields.count; i += 2, shape.set_count++)
        add_name(call, &shape, call->fields.values[i], call->fields.lengths[i]);
    for (uint32_t i = 0; i < call->gone.count; i++, shape.gone_count++)
        add_name(call, &shape, call->gone.values[i], call->gone.lengths[i]);
    acd_args_int(&call->args, acd_shapes_number(&call->shapes, call->args.arena, &shape));
    for (uint32_t i = 1; i < call->fields.count; i += 2)
        acd_args_add(&call->args, acd_slice(call->fields.values[i], call->fields.lengths[i]));
    if (!new->exists &&new != old)
        acd_args_int(&call->args, new->revision);
}

/* The revision as the function compares it: that of a deleted account, or 0, with a minus. */
static void add_entry(struct call *call, const struct acd_entry *entry)
{
    const struct acd_account *old = entry->base;

    acd_args_add(&call->args, entry->name);
    if (!old->exists && old->revision == 0)
        acd_args_str(&call->args, "-0");
    else
        acd_args_int(&call->args, old->exists ? old->revision : -old->revision);
    add_difference(call, entry);
}

/* Accounts stand in the call app by app; `entries` and `apps` remember the ordinals for the verdict. */
static void add_apps(struct call *call, const struct acd_state *state, struct acd_verdict *verdict)
{
    struct acd_args *args = &call->args;
    uint32_t hole = add_hole(args);

    verdict->entry_count = 0;
    verdict->app_count = 0;
    for (struct acd_app *app = state->apps; app; app = app->next) {
        uint32_t count_hole;
        uint32_t before = verdict->entry_count;

        acd_args_add(args, app->name);
        if (app->admins_touched)
            acd_args_int(args, app->admins_base);
        else
            acd_args_str(args, "");
        count_hole = add_hole(args);
        for (struct acd_entry *entry = app->entries; entry; entry = entry->next_in_app) {
            if (!entry->touched)
                continue;
            add_entry(call, entry);
            verdict->entries[verdict->entry_count++] = entry;
        }
        fill_hole(args, count_hole, verdict->entry_count - before);
        verdict->apps[verdict->app_count++] = app;
    }
    fill_hole(args, hole, verdict->app_count);
}

/* Turns the ordinals of the answer into the entries and apps they stand for, in place: an answer's ordinals
 * grow, so no slot is overwritten before it was read. */
static void read_ordinals(const redisReply *reply, struct acd_verdict *verdict)
{
    struct acd_entry **entries = verdict->entries;
    struct acd_app **apps = verdict->apps;
    uint32_t entry_total = verdict->entry_count;
    uint32_t app_total = verdict->app_count;

    verdict->entry_count = 0;
    verdict->app_count = 0;
    for (size_t i = 1; i < reply->elements; i++) {
        long long ordinal = reply->element[i]->integer;

        if (ordinal > 0 && ordinal <= entry_total)
            entries[verdict->entry_count++] = entries[ordinal - 1];
        else if (ordinal < 0 && ordinal >= -(long long)app_total)
            apps[verdict->app_count++] = apps[-ordinal - 1];
    }
}

/* Beside the outbox, from where the function takes it: Lua hashes every byte of its arguments. */
static void send_outbox(struct acd_store_handle *store, struct acd_arena *arena,
                        const struct acd_commit_part *part)
{
    struct acd_args args;

    acd_args_init(&args, arena, 6);
    acd_args_str(&args, "HSET");
    acd_args_add(&args, acd_store_key(store, arena, "accountd:outbox:%d:next", part->partition));
    add_pair(&args, "marker", part->marker);
    add_pair(&args, "messages", part->outbox);
    acd_redis_send(&store->redis, &args);
}

/* The first refusal, whose words stay with the connection. */
static enum acd_store read_outboxes(struct acd_store_handle *store, uint32_t count)
{
    enum acd_store refused = ACD_STORE_OK;

    for (uint32_t i = 0; i < count; i++) {
        redisReply *reply;
        enum acd_store result = acd_redis_read(&store->redis, &reply);

        if (result == ACD_STORE_OK)
            freeReplyObject(reply);
        else if (refused == ACD_STORE_OK)
            refused = result;
    }
    return refused;
}

static enum acd_store read_verdict(struct acd_store_handle *store, struct acd_arena *arena,
                                   const redisReply *reply, enum acd_store outboxes,
                                   struct acd_verdict *verdict)
{
    struct acd_slice word = reply->elements ? acd_reply_slice(reply->element[0]) : acd_slice(NULL, 0);

    if (acd_slice_is(word, "ok"))
        return ACD_STORE_OK;
    if (acd_slice_is(word, "fenced") && reply->elements == 3) {
        verdict->fenced_at = acd_arena_copy(arena, acd_reply_slice(reply->element[1]));
        verdict->present = acd_arena_copy(arena, acd_reply_slice(reply->element[2]));
        return ACD_STORE_FENCED;
    }
    if (acd_slice_is(word, "unsent")) {
        if (outboxes != ACD_STORE_OK)
            return outboxes;
        snprintf(store->redis.error, sizeof(store->redis.error), "another worker's outbox is in the way");
        return ACD_STORE_LATER;
    }
    read_ordinals(reply, verdict);
    return acd_slice_is(word, "stale") ? ACD_STORE_STALE : ACD_STORE_BUSY;
}

static void build(struct acd_store_handle *store, struct acd_arena *arena, const struct acd_commit *commit,
                  struct call *call, struct acd_verdict *verdict)
{
    struct acd_args *args = &call->args;
    uint32_t header;
    uint32_t hole;

    *call = (struct call){0};
    acd_shapes_init(&call->shapes);
    acd_args_init(&call->fields, arena, 64);
    acd_args_init(&call->gone, arena, 64);
    acd_store_function(store, arena, args, "FCALL", "commit");
    header = args->count - 1;
    acd_args_add(args, commit->incarnation);
    acd_args_int(args, commit->part_count);
    for (uint32_t i = 0; i < commit->part_count; i++) {
        acd_args_int(args, commit->parts[i].partition);
        acd_args_add(args, commit->parts[i].expected);
        acd_args_add(args, commit->parts[i].marker);
    }
    hole = add_hole(args);
    add_apps(call, commit->state, verdict);
    /* The function counts from 1, from the prefix on. */
    fill_hole(args, hole, args->count - header + 1);
    acd_shapes_add(&call->shapes, args);
}

enum acd_store acd_store_commit(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_commit *commit, struct acd_verdict *verdict)
{
    uint32_t app_count = 0;
    struct call call;
    redisReply *reply;
    enum acd_store outboxes;
    enum acd_store result;

    for (const struct acd_app *app = commit->state->apps; app; app = app->next)
        app_count++;
    *verdict = (struct acd_verdict){0};
    verdict->entries = acd_arena_calloc(arena, commit->state->entry_count, sizeof(*verdict->entries));
    verdict->apps = acd_arena_calloc(arena, app_count, sizeof(*verdict->apps));
    build(store, arena, commit, &call, verdict);
    for (uint32_t i = 0; i < commit->part_count; i++)
        send_outbox(store, arena, &commit->parts[i]);
    acd_redis_send(&store->redis, &call.args);
    outboxes = read_outboxes(store, commit->part_count);
    result = acd_store_answer(store, arena, &call.args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    result = read_verdict(store, arena, reply, outboxes, verdict);
    freeReplyObject(reply);
    return result;
}
