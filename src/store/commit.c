/* The commit: what a batch changed, as the arguments of one call, and the call's verdict. */
#include "accountd/text.h"
#include "handle.h"

/* A hole for a count that is known only after what it counts. */
static uint32_t add_hole(struct acd_args *args)
{
    acd_args_str(args, "");
    return args->count - 1;
}

static void fill_hole(struct acd_args *args, uint32_t hole, int64_t number)
{
    struct acd_slice text = acd_arena_format(args->arena, "%lld", (long long)number);

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
    return acd_arena_format(args->arena, "custom.%.*s", ACD_SLICE_ARGS(tag));
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

static void add_sets(struct acd_args *args, const struct acd_account *old, const struct acd_account *new)
{
    uint32_t hole = add_hole(args);

    acd_store_fields(args, old, new);
    fill_hole(args, hole, args->count - hole - 1);
}

static void add_removals(struct acd_args *args, const struct acd_account *old, const struct acd_account *new)
{
    uint32_t hole = add_hole(args);

    if (old->exists && new->exists) {
        for (int f = 0; f < ACD_FIELD_COUNT; f++)
            if (old->fields[f].len && !new->fields[f].len)
                acd_args_str(args, acd_field_rules[f].name);
        add_custom(args, old, new, true);
    }
    fill_hole(args, hole, args->count - hole - 1);
}

static void add_write(struct acd_args *args, const struct acd_account *old, const struct acd_account *new)
{
    bool was_admin = old->exists && old->type == ACD_ADMIN;
    bool is_admin = new->exists &&new->type == ACD_ADMIN;

    acd_args_str(args, "w");
    if (new->exists && (!old->exists || old->created_at_ms != new->created_at_ms))
        acd_args_int(args, new->created_at_ms);
    else
        acd_args_str(args, old->exists && !new->exists ? "-" : "");
    acd_args_str(args, was_admin == is_admin ? "" : is_admin ? "+" : "-");
    if (!new->exists)
        acd_args_int(args, new->revision);
    else
        acd_args_str(args, !old->exists && old->revision > 0 ? "-" : "");
    add_sets(args, old, new);
    add_removals(args, old, new);
}

static void add_entry(struct acd_args *args, const struct acd_entry *entry)
{
    const struct acd_account *old = entry->base;

    acd_args_add(args, entry->name);
    acd_args_add(args,
                 acd_arena_format(args->arena, "%s%lld", old->exists ? "" : "-", (long long)old->revision));
    acd_args_int(args, entry->partition);
    if (entry->current == old)
        acd_args_str(args, "r");
    else
        add_write(args, old, entry->current);
}

/* Accounts stand in the call app by app; `entries` and `apps` remember the ordinals for the verdict. */
static void add_apps(struct acd_args *args, const struct acd_state *state, struct acd_verdict *verdict)
{
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
            add_entry(args, entry);
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

static enum acd_store read_verdict(struct acd_arena *arena, const redisReply *reply,
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
    read_ordinals(reply, verdict);
    return acd_slice_is(word, "stale") ? ACD_STORE_STALE : ACD_STORE_BUSY;
}

enum acd_store acd_store_commit(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_commit *commit, struct acd_verdict *verdict)
{
    uint32_t app_count = 0;
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    for (const struct acd_app *app = commit->state->apps; app; app = app->next)
        app_count++;
    *verdict = (struct acd_verdict){0};
    verdict->entries = acd_arena_calloc(arena, commit->state->entry_count, sizeof(*verdict->entries));
    verdict->apps = acd_arena_calloc(arena, app_count, sizeof(*verdict->apps));
    acd_store_function(store, arena, &args, "FCALL", "commit");
    acd_args_add(&args, commit->incarnation);
    acd_args_int(&args, commit->part_count);
    for (uint32_t i = 0; i < commit->part_count; i++) {
        acd_args_int(&args, commit->parts[i].partition);
        acd_args_add(&args, commit->parts[i].expected);
        acd_args_add(&args, commit->parts[i].marker);
        acd_args_add(&args, commit->parts[i].outbox);
    }
    add_apps(&args, commit->state, verdict);
    result = acd_store_call(store, arena, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    result = read_verdict(arena, reply, verdict);
    freeReplyObject(reply);
    return result;
}
