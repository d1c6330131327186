/* The accounts of a batch: a hash table of entries that grows, and a smaller one of apps. */
#include "accountd/state.h"

#include "accountd/hash.h"

#define BUCKETS_MIN 64

uint64_t acd_state_hash(struct acd_slice app, struct acd_slice name)
{
    return acd_hash_finish(acd_hash_text(acd_hash_text(0, app), name));
}

void acd_state_init(struct acd_state *state, struct acd_arena *arena, size_t expected_entries)
{
    size_t buckets = BUCKETS_MIN;

    while (buckets < expected_entries)
        buckets *= 2;
    *state = (struct acd_state){.arena = arena, .bucket_count = buckets};
    state->apps_tail = &state->apps;
    state->entries_tail = &state->entries;
    state->buckets = acd_arena_calloc(arena, buckets, sizeof(*state->buckets));
}

struct acd_app *acd_state_app(struct acd_state *state, struct acd_slice name)
{
    size_t bucket = acd_hash_finish(acd_hash_text(0, name)) & (ACD_APP_BUCKETS - 1);
    struct acd_app *app = state->app_buckets[bucket];

    while (app && !acd_slice_equal(app->name, name))
        app = app->chain;
    if (app)
        return app;
    app = acd_arena_alloc(state->arena, sizeof(*app));
    *app = (struct acd_app){
        .name = name,
        .admins_base = -1,
        .admins = -1,
        .partition = ACD_NO_PARTITION,
        .chain = state->app_buckets[bucket],
    };
    state->app_buckets[bucket] = app;
    *state->apps_tail = app;
    state->apps_tail = &app->next;
    return app;
}

static struct acd_entry *find(const struct acd_state *state, uint64_t hash, struct acd_slice app,
                              struct acd_slice name)
{
    struct acd_entry *entry = state->buckets[hash & (state->bucket_count - 1)];

    while (entry && !(entry->hash == hash && acd_slice_equal(entry->name, name) &&
                      acd_slice_equal(entry->app->name, app)))
        entry = entry->chain;
    return entry;
}

static void add_to_bucket(struct acd_state *state, struct acd_entry *entry)
{
    struct acd_entry **bucket = &state->buckets[entry->hash & (state->bucket_count - 1)];

    entry->chain = *bucket;
    *bucket = entry;
}

/* Twice the buckets whenever there are as many entries, so that chains stay short. */
static void grow(struct acd_state *state)
{
    state->bucket_count *= 2;
    state->buckets = acd_arena_calloc(state->arena, state->bucket_count, sizeof(*state->buckets));
    for (struct acd_entry *entry = state->entries; entry; entry = entry->next)
        add_to_bucket(state, entry);
}

struct acd_entry *acd_state_entry(struct acd_state *state, struct acd_slice app, struct acd_slice name)
{
    uint64_t hash = acd_state_hash(app, name);
    struct acd_entry *entry = find(state, hash, app, name);

    if (entry)
        return entry;
    if (state->entry_count >= state->bucket_count)
        grow(state);
    entry = acd_arena_alloc(state->arena, sizeof(*entry));
    *entry = (struct acd_entry){
        .app = acd_state_app(state, app),
        .name = name,
        .hash = hash,
        .partition = ACD_NO_PARTITION,
    };
    entry->next_in_app = entry->app->entries;
    entry->app->entries = entry;
    add_to_bucket(state, entry);
    *state->entries_tail = entry;
    state->entries_tail = &entry->next;
    state->entry_count++;
    return entry;
}

struct acd_entry **acd_state_entries(struct acd_state *state, const struct acd_command *command)
{
    struct acd_entry **entries = acd_arena_alloc(state->arena, command->target_count * sizeof(*entries));

    for (uint32_t i = 0; i < command->target_count; i++)
        entries[i] = acd_state_entry(state, command->app, command->targets[i].account);
    return entries;
}

struct acd_entry *acd_state_find(const struct acd_state *state, struct acd_slice app, struct acd_slice name)
{
    return find(state, acd_state_hash(app, name), app, name);
}

bool acd_state_only_new(const struct acd_state *state)
{
    const struct acd_entry *entry = state->entries;

    while (entry && (!entry->touched || acd_entry_is_new(entry)))
        entry = entry->next;
    return !entry;
}
