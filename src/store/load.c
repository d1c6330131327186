/* Loading: a batch's accounts in one round trip. */
#include <stdio.h>

#include "accountd/buffer.h"
#include "accountd/text.h"
#include "handle.h"

#define CUSTOM_PREFIX "custom."

static int64_t number_of(struct acd_slice text)
{
    int64_t number = 0;

    return acd_int_parse(text, &number) ? number : 0;
}

/* A revision as the commit knows it, or 0: a hash without one is nobody's account. */
static int64_t revision_of(struct acd_slice text)
{
    return text.len < 19 && text.data[0] != '0' && text.data[0] != '-' ? number_of(text) : 0;
}

/* Custom fields come in the order of Redis' hash table. */
static void sort_custom(struct acd_custom *custom, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct acd_custom moved = custom[i];
        uint32_t at = i;

        for (; at > 0 && acd_slice_compare(custom[at - 1].tag, moved.tag) > 0; at--)
            custom[at] = custom[at - 1];
        custom[at] = moved;
    }
}

static void take_field(struct acd_account *account, struct acd_custom *custom, struct acd_slice name,
                       struct acd_slice value)
{
    enum acd_field field = acd_field_find(name);

    /* accountd writes no such value; somebody else's must not get into a changelog record, which could then
     * not be read back. */
    if (!value.len || !acd_utf8_valid(value) || !acd_utf8_valid(name))
        return;
    if (field != ACD_FIELD_COUNT)
        account->fields[field] = value;
    else if (acd_slice_is(name, "type"))
        account->type = acd_slice_is(value, "admin") ? ACD_ADMIN : ACD_GENERAL;
    else if (acd_slice_is(name, "rev"))
        account->revision = revision_of(value);
    else if (acd_slice_is(name, "created_at"))
        account->created_at_ms = number_of(value);
    else if (acd_slice_is(name, "updated_at"))
        account->updated_at_ms = number_of(value);
    else if (name.len > sizeof(CUSTOM_PREFIX) - 1 &&
             memcmp(name.data, CUSTOM_PREFIX, sizeof(CUSTOM_PREFIX) - 1) == 0)
        custom[account->custom_count++] = (struct acd_custom){
            acd_slice(name.data + sizeof(CUSTOM_PREFIX) - 1, name.len - sizeof(CUSTOM_PREFIX) + 1), value};
}

const struct acd_account *acd_store_read_account(struct acd_arena *arena, const redisReply *hash,
                                                 int64_t deleted_revision)
{
    struct acd_account *account = acd_arena_calloc(arena, 1, sizeof(*account));
    struct acd_custom *custom;

    if (hash->elements == 0) {
        account->revision = deleted_revision;
        return account;
    }
    account->exists = true;
    custom = acd_arena_calloc(arena, hash->elements / 2, sizeof(*custom));
    for (size_t i = 0; i + 1 < hash->elements; i += 2)
        take_field(account, custom, acd_arena_copy(arena, acd_reply_slice(hash->element[i])),
                   acd_arena_copy(arena, acd_reply_slice(hash->element[i + 1])));
    if (account->revision == 0) {
        *account = (struct acd_account){.revision = deleted_revision};
        return account;
    }
    sort_custom(custom, account->custom_count);
    account->custom = custom;
    return account;
}

static void send_one(struct acd_store_handle *store, struct acd_arena *arena, const char *command,
                     struct acd_slice key)
{
    struct acd_args args;

    acd_args_init(&args, arena, 2);
    acd_args_str(&args, command);
    acd_args_add(&args, key);
    acd_redis_send(&store->redis, &args);
}

struct acd_slice acd_store_account_key(const struct acd_store_handle *store, struct acd_arena *arena,
                                       struct acd_slice app, struct acd_slice account)
{
    struct acd_buffer key;

    acd_buffer_init(&key, arena, strlen(store->settings->redis.key_prefix) + app.len + account.len + 8);
    acd_buffer_add_str(&key, store->settings->redis.key_prefix);
    acd_buffer_add_str(&key, "acct:{");
    acd_buffer_add_slice(&key, app);
    acd_buffer_add_str(&key, "}:");
    acd_buffer_add_slice(&key, account);
    return acd_buffer_slice(&key);
}

/* The accounts of an app that are not loaded: the revisions of those that were deleted, and each one's hash.
 */
static void ask_entries(struct acd_store_handle *store, struct acd_arena *arena, const struct acd_app *app)
{
    struct acd_args deleted;

    acd_args_init(&deleted, arena, 64);
    acd_args_str(&deleted, "HMGET");
    acd_args_add(&deleted, acd_store_key(store, arena, "deleted:{%.*s}", ACD_SLICE_ARGS(app->name)));
    for (const struct acd_entry *entry = app->entries; entry; entry = entry->next_in_app)
        if (!entry->base)
            acd_args_add(&deleted, entry->name);
    if (deleted.count == 2)
        return;
    acd_redis_send(&store->redis, &deleted);
    for (const struct acd_entry *entry = app->entries; entry; entry = entry->next_in_app)
        if (!entry->base)
            send_one(store, arena, "HGETALL", acd_store_account_key(store, arena, app->name, entry->name));
}

/* Every answer must be read, or the next call would take it for its own: a refusal of one (a key of a wrong
 * type) is remembered, and only a broken connection ends the reading. */
static void keep_worst(enum acd_store *result, enum acd_store next)
{
    if (*result == ACD_STORE_OK || next == ACD_STORE_DOWN)
        *result = next;
}

static enum acd_store answer_entry(struct acd_store_handle *store, struct acd_arena *arena,
                                   const redisReply *deleted, struct acd_entry *entry)
{
    redisReply *hash;
    enum acd_store result = acd_redis_read(&store->redis, &hash);

    if (result != ACD_STORE_OK)
        return result;
    if (deleted) {
        entry->base = acd_store_read_account(arena, hash, number_of(acd_reply_slice(deleted)));
        entry->current = entry->base;
    }
    freeReplyObject(hash);
    return ACD_STORE_OK;
}

static enum acd_store answer_entries(struct acd_store_handle *store, struct acd_arena *arena,
                                     const struct acd_app *app)
{
    enum acd_store result = ACD_STORE_OK;
    redisReply *deleted = NULL;
    bool asked = false;
    size_t n = 0;

    for (struct acd_entry *entry = app->entries; entry && result != ACD_STORE_DOWN;
         entry = entry->next_in_app) {
        if (entry->base)
            continue;
        if (!asked)
            result = acd_redis_read(&store->redis, &deleted);
        asked = true;
        if (result != ACD_STORE_DOWN)
            keep_worst(&result,
                       answer_entry(store, arena,
                                    deleted && n < deleted->elements ? deleted->element[n] : NULL, entry));
        n++;
    }
    if (result == ACD_STORE_OK && deleted && deleted->elements != n) {
        snprintf(store->redis.error, sizeof(store->redis.error), "HMGET: %zu values were asked for, %zu came",
                 n, deleted->elements);
        result = ACD_STORE_HALT;
    }
    if (deleted)
        freeReplyObject(deleted);
    return result;
}

static enum acd_store answer_app(struct acd_store_handle *store, struct acd_app *app)
{
    redisReply *reply;
    enum acd_store result = acd_redis_read(&store->redis, &reply);

    if (result != ACD_STORE_OK)
        return result;
    app->admins_base = reply->integer;
    app->admins = reply->integer;
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

enum acd_store acd_store_load(struct acd_store_handle *store, struct acd_arena *arena,
                              struct acd_state *state)
{
    enum acd_store result = ACD_STORE_OK;

    for (const struct acd_app *app = state->apps; app; app = app->next)
        if (app->admins_wanted && app->admins_base < 0)
            send_one(store, arena, "SCARD",
                     acd_store_key(store, arena, "admins:{%.*s}", ACD_SLICE_ARGS(app->name)));
    for (const struct acd_app *app = state->apps; app; app = app->next)
        ask_entries(store, arena, app);
    if (!store->redis.context)
        return ACD_STORE_DOWN;
    for (struct acd_app *app = state->apps; app && result != ACD_STORE_DOWN; app = app->next)
        if (app->admins_wanted && app->admins_base < 0)
            keep_worst(&result, answer_app(store, app));
    for (struct acd_app *app = state->apps; app && result != ACD_STORE_DOWN; app = app->next)
        keep_worst(&result, answer_entries(store, arena, app));
    return result;
}
