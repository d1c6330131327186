/* The restore's accounts. Functions would be the natural way, but passing some twenty values of each account
 * through Lua costs Redis twice what writing them does (docs/design.md). So this is a plain transaction that
 * watches the recovery's key: it is looked at first, and Redis drops the transaction when the key has changed
 * since. */
#include <stdio.h>
#include <string.h>

#include "handle.h"

static void send_words(struct acd_store_handle *store, struct acd_arena *arena, const char *command,
                       struct acd_slice key, const char *word)
{
    struct acd_args args;

    acd_args_init(&args, arena, 3);
    acd_args_str(&args, command);
    if (key.data)
        acd_args_add(&args, key);
    if (word)
        acd_args_str(&args, word);
    acd_redis_send(&store->redis, &args);
}

static struct acd_slice hash_key(const struct acd_store_handle *store, struct acd_arena *arena,
                                 const struct acd_restored *restored)
{
    return acd_store_key(store, arena, "acct:{%.*s}:%.*s", ACD_SLICE_ARGS(restored->app),
                         ACD_SLICE_ARGS(restored->name));
}

/* ---- Comparing */

enum acd_store acd_store_compare_send(struct acd_store_handle *store, struct acd_arena *arena,
                                      const struct acd_restored *accounts, uint32_t count)
{
    if (!store->redis.context)
        return ACD_STORE_DOWN;
    for (uint32_t i = 0; i < count; i++)
        send_words(store, arena, "HGETALL", hash_key(store, arena, &accounts[i]), NULL);
    acd_redis_flush(&store->redis);
    return ACD_STORE_OK;
}

static bool pair_is(const redisReply *hash, size_t at, const struct acd_args *fields, uint32_t n)
{
    return acd_slice_equal(acd_reply_slice(hash->element[at]),
                           acd_slice(fields->values[n], fields->lengths[n])) &&
           acd_slice_equal(acd_reply_slice(hash->element[at + 1]),
                           acd_slice(fields->values[n + 1], fields->lengths[n + 1]));
}

/* True when the hash has exactly the account's fields. Most often they stand in the order in which they are
 * written, so that each is found at once. */
static bool is_same(struct acd_arena *arena, const redisReply *hash, const struct acd_account *account)
{
    struct acd_args fields;
    uint32_t next = 0;

    acd_args_init(&fields, arena, 32);
    acd_store_fields(&fields, &acd_account_none, account);
    if (hash->elements != fields.count)
        return false;
    for (size_t at = 0; at < hash->elements; at += 2) {
        uint32_t tried = 0;

        while (tried < fields.count && !pair_is(hash, at, &fields, next)) {
            next = next + 2 < fields.count ? next + 2 : 0;
            tried += 2;
        }
        if (tried >= fields.count)
            return false;
        next = next + 2 < fields.count ? next + 2 : 0;
    }
    return true;
}

/* A key of another type is refused, and different. */
enum acd_store acd_store_compare_read(struct acd_store_handle *store, struct acd_arena *arena,
                                      struct acd_restored *accounts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        redisReply *reply;
        enum acd_store result = acd_redis_read(&store->redis, &reply);

        accounts[i].same = false;
        if (result == ACD_STORE_HALT && strstr(store->redis.error, "WRONGTYPE"))
            continue;
        if (result != ACD_STORE_OK)
            return result;
        accounts[i].same = is_same(arena, reply, &accounts[i].account);
        freeReplyObject(reply);
    }
    return ACD_STORE_OK;
}

/* ---- Writing */

/* Reads the answers to WATCH and to the question for the token that follows it. */
static enum acd_store read_guard(struct acd_store_handle *store, const char *token)
{
    redisReply *watching;
    redisReply *held;
    enum acd_store result = acd_redis_read(&store->redis, &watching);

    if (result != ACD_STORE_OK)
        return result;
    freeReplyObject(watching);
    result = acd_redis_read(&store->redis, &held);
    if (result != ACD_STORE_OK)
        return result;
    store->guarded = acd_slice_is(acd_reply_slice(held), token);
    freeReplyObject(held);
    return store->guarded ? ACD_STORE_OK : ACD_STORE_FENCED;
}

static void send_guard(struct acd_store_handle *store, struct acd_arena *arena)
{
    struct acd_slice key = acd_store_key(store, arena, "accountd:recovery");

    send_words(store, arena, "WATCH", key, NULL);
    send_words(store, arena, "HGET", key, "token");
}

/* What was watched before may have changed since, by our own calls. */
static enum acd_store begin_guard(struct acd_store_handle *store, struct acd_arena *arena, const char *token)
{
    redisReply *reply;
    enum acd_store result;

    send_words(store, arena, "UNWATCH", acd_slice(NULL, 0), NULL);
    send_guard(store, arena);
    result = acd_redis_read(&store->redis, &reply);
    if (result != ACD_STORE_OK)
        return result;
    freeReplyObject(reply);
    return read_guard(store, token);
}

static void queue(struct acd_store_handle *store, const struct acd_args *args)
{
    acd_redis_send(&store->redis, args);
    store->queued++;
}

static void queue_hash(struct acd_store_handle *store, struct acd_arena *arena,
                       const struct acd_restored *restored, bool empty)
{
    struct acd_slice key = hash_key(store, arena, restored);
    struct acd_args args;

    if (!empty || restored->again) {
        acd_args_init(&args, arena, 2);
        acd_args_str(&args, "DEL");
        acd_args_add(&args, key);
        queue(store, &args);
    }
    if (!restored->account.exists)
        return;
    acd_args_init(&args, arena, 48);
    acd_args_str(&args, "HSET");
    acd_args_add(&args, key);
    acd_store_fields(&args, &acd_account_none, &restored->account);
    queue(store, &args);
}

/* One command for a key of an app, which grows with each of its accounts. */
struct growing {
    struct acd_args args;
    const char *command;
    const char *key;
};

enum { LIST, UNLIST, PROMOTE, DEMOTE, BURY, REVIVE, GROWING_COUNT };

/* What the load says of one app. */
struct app {
    struct acd_slice name;
    struct growing growing[GROWING_COUNT];
};

static struct app *app_of(struct acd_arena *arena, struct app *apps, uint32_t *count, struct acd_slice name)
{
    static const char *const rules[GROWING_COUNT][2] = {{"ZADD", "accounts"}, {"ZREM", "accounts"},
                                                        {"SADD", "admins"},   {"SREM", "admins"},
                                                        {"HSET", "deleted"},  {"HDEL", "deleted"}};
    uint32_t i = 0;

    while (i < *count && !acd_slice_equal(apps[i].name, name))
        i++;
    if (i == *count) {
        apps[(*count)++].name = name;
        for (int g = 0; g < GROWING_COUNT; g++) {
            apps[i].growing[g].command = rules[g][0];
            apps[i].growing[g].key = rules[g][1];
        }
    }
    return &apps[i];
}

/* The command's arguments, begun when it gets its first. */
static struct acd_args *grow(const struct acd_store_handle *store, struct acd_arena *arena, struct app *app,
                             int which)
{
    struct growing *growing = &app->growing[which];

    if (!growing->args.arena) {
        acd_args_init(&growing->args, arena, 64);
        acd_args_str(&growing->args, growing->command);
        acd_args_add(&growing->args,
                     acd_store_key(store, arena, "%s:{%.*s}", growing->key, ACD_SLICE_ARGS(app->name)));
    }
    return &growing->args;
}

/* Indexes, admin sets and deletions were emptied when the recovery began: only what an older version of the
 * account left there is to be taken out. */
static void add_member(const struct acd_store_handle *store, struct acd_arena *arena, struct app *app,
                       const struct acd_restored *restored)
{
    const struct acd_account *account = &restored->account;
    bool admin = account->exists && account->type == ACD_ADMIN;
    struct acd_args *args = grow(store, arena, app, account->exists ? LIST : BURY);

    if (account->exists) {
        acd_args_int(args, account->created_at_ms);
        acd_args_add(args, restored->name);
    } else {
        acd_args_add(args, restored->name);
        acd_args_int(args, account->revision);
    }
    if (restored->again)
        acd_args_add(grow(store, arena, app, account->exists ? REVIVE : UNLIST), restored->name);
    if (admin || restored->again)
        acd_args_add(grow(store, arena, app, admin ? PROMOTE : DEMOTE), restored->name);
}

static void queue_members(struct acd_store_handle *store, struct acd_arena *arena,
                          const struct acd_restored *accounts, uint32_t count)
{
    struct app *apps = acd_arena_calloc(arena, count, sizeof(*apps));
    uint32_t app_count = 0;

    for (uint32_t i = 0; i < count; i++)
        add_member(store, arena, app_of(arena, apps, &app_count, accounts[i].app), &accounts[i]);
    for (uint32_t i = 0; i < app_count; i++)
        for (int g = 0; g < GROWING_COUNT; g++)
            if (apps[i].growing[g].args.arena)
                queue(store, &apps[i].growing[g].args);
}

enum acd_store acd_store_restore_send(struct acd_store_handle *store, struct acd_arena *arena,
                                      const char *token, const struct acd_restored *accounts, uint32_t count,
                                      bool empty)
{
    struct acd_args extend;

    if (!store->redis.context)
        return ACD_STORE_DOWN;
    if (!store->guarded) {
        enum acd_store result = begin_guard(store, arena, token);

        if (result != ACD_STORE_OK)
            return result;
    }
    store->queued = 0;
    send_words(store, arena, "MULTI", acd_slice(NULL, 0), NULL);
    for (uint32_t i = 0; i < count; i++)
        if (!accounts[i].same)
            queue_hash(store, arena, &accounts[i], empty);
    queue_members(store, arena, accounts, count);
    acd_store_function(store, arena, &extend, "FCALL", "forget");
    acd_args_str(&extend, token);
    queue(store, &extend);
    send_words(store, arena, "EXEC", acd_slice(NULL, 0), NULL);
    send_guard(store, arena);
    acd_redis_flush(&store->redis);
    return ACD_STORE_OK;
}

/* The answer to EXEC: nil when the watched key has changed. */
static enum acd_store read_exec(struct acd_store_handle *store)
{
    redisReply *reply;
    enum acd_store result = acd_redis_read(&store->redis, &reply);

    if (result != ACD_STORE_OK)
        return result;
    result = reply->type == REDIS_REPLY_ARRAY ? ACD_STORE_OK : ACD_STORE_FENCED;
    for (size_t i = 0; i < reply->elements && result == ACD_STORE_OK; i++) {
        if (reply->element[i]->type != REDIS_REPLY_ERROR)
            continue;
        snprintf(store->redis.error, sizeof(store->redis.error), "%s", reply->element[i]->str);
        result = strstr(store->redis.error, ACD_NO_FUNCTION) ? ACD_STORE_LATER : ACD_STORE_HALT;
    }
    freeReplyObject(reply);
    return result;
}

enum acd_store acd_store_restore_read(struct acd_store_handle *store, const char *token)
{
    enum acd_store queued = ACD_STORE_OK;
    enum acd_store result;

    /* MULTI and each command are answered; a refusal of one (no memory, say) refuses them all. */
    for (uint32_t i = 0; i < store->queued + 1; i++) {
        redisReply *reply;

        result = acd_redis_read(&store->redis, &reply);
        if (result == ACD_STORE_DOWN)
            return result;
        if (result == ACD_STORE_OK)
            freeReplyObject(reply);
        else
            queued = result;
    }
    result = read_exec(store);
    if (result == ACD_STORE_DOWN)
        return result;
    if (queued != ACD_STORE_OK || result != ACD_STORE_OK)
        return queued != ACD_STORE_OK ? queued : result;
    result = read_guard(store, token);
    /* What was sent is written; whether the next may be shows when it is sent. */
    return result == ACD_STORE_FENCED ? ACD_STORE_OK : result;
}
