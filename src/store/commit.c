/* The commit: what a batch changed, as the arguments of one call, and the call's verdict. */
#include <stdio.h>

#include "changes.h"
#include "handle.h"

static const char *kind_of(const struct acd_account *old, const struct acd_account *now)
{
    if (now == old)
        return "read";
    if (!now->exists)
        return "delete";
    if (!acd_changes_made(old, now))
        return "write";
    return "rewrite";
}

static const char *admin_change(const struct acd_account *old, const struct acd_account *now)
{
    bool was_admin = old->exists && old->type == ACD_ADMIN;
    bool is_admin = now->type == ACD_ADMIN && now->exists;

    return was_admin == is_admin ? "" : is_admin ? "+" : "-";
}

/* The revision as the function compares it: that of a deleted account, or 0, with a minus. */
static void add_entry(struct acd_changes *changes, const struct acd_entry *entry)
{
    const struct acd_account *old = entry->base;
    const struct acd_account *now = entry->current;

    acd_args_add(&changes->args, entry->name);
    if (!old->exists && old->revision == 0)
        acd_args_str(&changes->args, "-0");
    else
        acd_args_int(&changes->args, old->exists ? old->revision : -old->revision);
    acd_changes_account(changes, entry->partition, kind_of(old, now), admin_change(old, now), old, now);
}

/* Adds an app's new accounts, and `entries` in that order; `newcomers` has room for all. Returns how many
 * there are. */
static uint32_t add_newcomers(struct acd_changes *changes, const struct acd_app *app,
                              struct acd_newcomer *newcomers, struct acd_entry **entries)
{
    uint32_t count = 0;

    for (struct acd_entry *entry = app->entries; entry; entry = entry->next_in_app) {
        if (entry->touched && acd_entry_is_new(entry))
            newcomers[count++] = (struct acd_newcomer){entry->name, entry->current, entry->partition, entry};
    }
    acd_changes_newcomers(changes, newcomers, count);
    for (uint32_t i = 0; i < count; i++)
        entries[i] = newcomers[i].owner;
    return count;
}

/* Accounts stand in the call app by app; `entries` and `apps` remember the ordinals for the verdict. */
static void add_apps(struct acd_changes *changes, const struct acd_state *state, struct acd_verdict *verdict)
{
    struct acd_args *args = &changes->args;
    struct acd_newcomer *newcomers = acd_arena_alloc(args->arena, state->entry_count * sizeof(*newcomers));
    uint32_t hole = acd_args_hole(args);

    verdict->entry_count = 0;
    verdict->app_count = 0;
    for (struct acd_app *app = state->apps; app; app = app->next) {
        uint32_t count_hole;
        uint32_t before;

        acd_args_add(args, app->name);
        if (app->admins_touched)
            acd_args_int(args, app->admins_base);
        else
            acd_args_str(args, "");
        verdict->entry_count +=
            add_newcomers(changes, app, newcomers, &verdict->entries[verdict->entry_count]);
        before = verdict->entry_count;
        count_hole = acd_args_hole(args);
        for (struct acd_entry *entry = app->entries; entry; entry = entry->next_in_app) {
            if (!entry->touched || acd_entry_is_new(entry))
                continue;
            add_entry(changes, entry);
            verdict->entries[verdict->entry_count++] = entry;
        }
        acd_args_fill(args, count_hole, verdict->entry_count - before);
        verdict->apps[verdict->app_count++] = app;
    }
    acd_args_fill(args, hole, verdict->app_count);
}

/* Turns the ordinals of the answer into the entries and apps they stand for, in place: an answer's ordinals
 * grow, so no slot is overwritten before it was read; others are no answer of ours, and are passed over. */
static void read_ordinals(const redisReply *reply, struct acd_verdict *verdict)
{
    struct acd_entry **entries = verdict->entries;
    struct acd_app **apps = verdict->apps;
    uint32_t entry_total = verdict->entry_count;
    uint32_t app_total = verdict->app_count;
    long long entry = 0;
    long long app = 0;

    verdict->entry_count = 0;
    verdict->app_count = 0;
    for (size_t i = 1; i < reply->elements; i++) {
        long long ordinal = reply->element[i]->integer;

        if (ordinal > entry && ordinal <= entry_total) {
            entry = ordinal;
            entries[verdict->entry_count++] = entries[entry - 1];
        } else if (ordinal < -app && ordinal >= -(long long)app_total) {
            app = -ordinal;
            apps[verdict->app_count++] = apps[app - 1];
        }
    }
}

/* Beside the outbox, from where the function takes it: Lua hashes every byte of its arguments. */
static void send_outbox(struct acd_store_handle *store, struct acd_arena *arena,
                        const struct acd_commit_part *part)
{
    struct acd_args args;

    acd_args_init(&args, arena, 12);
    acd_args_str(&args, "HSET");
    acd_args_add(&args, acd_store_key(store, arena, "accountd:outbox:%d:next", part->partition));
    acd_args_str(&args, "marker");
    acd_args_add(&args, part->marker);
    acd_args_str(&args, "messages");
    acd_args_add(&args, part->outbox);
    /* Always each of them: a process that died may have left those of another batch here. */
    acd_args_str(&args, "exports");
    acd_args_add(&args, part->jobs.data ? part->jobs : acd_slice_str("="));
    acd_args_str(&args, "records");
    acd_args_str(&args, part->no_records ? "0" : "1");
    acd_args_str(&args, "step");
    acd_args_int(&args, part->step);
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
                  struct acd_changes *changes, struct acd_verdict *verdict)
{
    struct acd_args *args = &changes->args;
    uint32_t header;
    uint32_t hole;

    acd_changes_init(changes, arena);
    acd_store_function(store, arena, args, "FCALL", "commit");
    header = args->count - 1;
    acd_args_add(args, commit->incarnation);
    acd_args_int(args, commit->part_count);
    for (uint32_t i = 0; i < commit->part_count; i++) {
        acd_args_int(args, commit->parts[i].partition);
        acd_args_add(args, commit->parts[i].expected);
        acd_args_add(args, commit->parts[i].marker);
    }
    hole = acd_args_hole(args);
    add_apps(changes, commit->state, verdict);
    /* The function counts from 1, from the prefix on. */
    acd_args_fill(args, hole, args->count - header + 1);
    acd_shapes_add(&changes->shapes, args);
    acd_spending_add(args, &commit->spending);
}

enum acd_store acd_store_commit(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_commit *commit, struct acd_verdict *verdict)
{
    uint32_t app_count = 0;
    struct acd_changes changes;
    redisReply *reply;
    enum acd_store outboxes;
    enum acd_store result;

    for (const struct acd_app *app = commit->state->apps; app; app = app->next)
        app_count++;
    *verdict = (struct acd_verdict){0};
    verdict->entries = acd_arena_calloc(arena, commit->state->entry_count, sizeof(*verdict->entries));
    verdict->apps = acd_arena_calloc(arena, app_count, sizeof(*verdict->apps));
    build(store, arena, commit, &changes, verdict);
    for (uint32_t i = 0; i < commit->part_count; i++)
        send_outbox(store, arena, &commit->parts[i]);
    acd_redis_send(&store->redis, &changes.args);
    outboxes = read_outboxes(store, commit->part_count);
    result = acd_store_answer(store, arena, &changes.args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    result = read_verdict(store, arena, reply, outboxes, verdict);
    freeReplyObject(reply);
    return result;
}
