/* The recovery's calls but for those that write accounts (rewrite.c): each names its token, and Redis does
 * nothing once another worker has taken over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"

#define SWEEP_COUNT 1000

static enum acd_store verdict_of(redisReply *reply)
{
    struct acd_slice word = acd_reply_slice(reply);
    enum acd_store result = acd_slice_is(word, "ok")     ? ACD_STORE_OK
                            : acd_slice_is(word, "busy") ? ACD_STORE_BUSY
                                                         : ACD_STORE_FENCED;

    freeReplyObject(reply);
    return result;
}

static enum acd_store call(struct acd_store_handle *store, struct acd_arena *arena,
                           const struct acd_args *args)
{
    redisReply *reply;
    enum acd_store result = acd_store_call(store, arena, args, &reply);

    return result == ACD_STORE_OK ? verdict_of(reply) : result;
}

enum acd_store acd_store_take(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice bad,
                              const char *token, const char *before, struct acd_slice deployment)
{
    struct acd_args args;

    acd_store_function(store, arena, &args, "FCALL", "take");
    acd_args_add(&args, bad);
    acd_args_str(&args, token);
    acd_args_int(&args, ACD_LEASE_MS);
    acd_args_str(&args, before);
    acd_args_add(&args, deployment);
    return call(store, arena, &args);
}

enum acd_store acd_store_forget(struct acd_store_handle *store, struct acd_arena *arena, const char *token,
                                const struct acd_slice *keys, uint32_t count)
{
    struct acd_args args;

    /* It writes the key that the connection may be watching. */
    acd_store_function(store, arena, &args, "FCALL", "forget");
    acd_args_str(&args, token);
    for (uint32_t i = 0; i < count; i++)
        acd_args_add(&args, keys[i]);
    return call(store, arena, &args);
}

/* ---- The sweep */

/* The prefix as a pattern that matches it and nothing else. */
static struct acd_slice pattern_of(const struct acd_store_handle *store, struct acd_arena *arena)
{
    const char *prefix = store->settings->redis.key_prefix;
    size_t len = strlen(prefix);
    char *pattern = acd_arena_alloc(arena, 2 * len + 2);
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        if (strchr("\\*?[]^-", prefix[i]))
            pattern[used++] = '\\';
        pattern[used++] = prefix[i];
    }
    pattern[used++] = '*';
    return acd_slice(pattern, used);
}

static bool takes_front(struct acd_slice *text, const char *front)
{
    size_t len = strlen(front);

    if (text->len < len || memcmp(text->data, front, len) != 0)
        return false;
    *text = acd_slice(text->data + len, text->len - len);
    return true;
}

/* True when the key is one of ours: docs/protocol.md has their names. What says whose recovery it is stays
 * out. */
static bool read_key(const struct acd_store_handle *store, struct acd_slice key, struct acd_found *out)
{
    struct acd_slice rest = key;
    const char *brace;
    bool account;

    *out = (struct acd_found){.key = key};
    if (!takes_front(&rest, store->settings->redis.key_prefix))
        return false;
    if (takes_front(&rest, "accountd:"))
        return !acd_slice_is(rest, "incarnation") && !acd_slice_is(rest, "recovery") &&
               !acd_slice_is(rest, "deployment");
    account = takes_front(&rest, "acct:{");
    if (!account && !takes_front(&rest, "accounts:{") && !takes_front(&rest, "admins:{") &&
        !takes_front(&rest, "deleted:{"))
        return false;
    brace = memchr(rest.data, '}', rest.len);
    if (!brace)
        return false;
    out->app = acd_slice(rest.data, (size_t)(brace - rest.data));
    rest = acd_slice(brace + 1, rest.len - out->app.len - 1);
    if (!account)
        return rest.len == 0;
    if (!takes_front(&rest, ":"))
        return false;
    out->name = rest;
    return true;
}

static enum acd_store read_sweep(struct acd_store_handle *store, struct acd_arena *arena,
                                 const redisReply *reply, uint64_t *cursor, struct acd_found **found,
                                 uint32_t *count)
{
    const redisReply *keys = reply->elements == 2 ? reply->element[1] : NULL;

    if (!keys || !reply->element[0]->str) {
        snprintf(store->redis.error, sizeof(store->redis.error), "SCAN gave no keys");
        return ACD_STORE_HALT;
    }
    *cursor = strtoull(reply->element[0]->str, NULL, 10);
    *found = acd_arena_calloc(arena, keys->elements, sizeof(**found));
    for (size_t i = 0; i < keys->elements; i++) {
        struct acd_slice key = acd_arena_copy(arena, acd_reply_slice(keys->element[i]));

        if (read_key(store, key, &(*found)[*count]))
            (*count)++;
    }
    return ACD_STORE_OK;
}

enum acd_store acd_store_sweep(struct acd_store_handle *store, struct acd_arena *arena, uint64_t *cursor,
                               struct acd_found **found, uint32_t *count)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    *found = NULL;
    *count = 0;
    acd_args_init(&args, arena, 6);
    acd_args_str(&args, "SCAN");
    acd_args_add(&args, acd_arena_format(arena, "%llu", (unsigned long long)*cursor));
    acd_args_str(&args, "MATCH");
    acd_args_add(&args, pattern_of(store, arena));
    acd_args_str(&args, "COUNT");
    acd_args_int(&args, SWEEP_COUNT);
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    result = read_sweep(store, arena, reply, cursor, found, count);
    freeReplyObject(reply);
    return result;
}

enum acd_store acd_store_finish(struct acd_store_handle *store, struct acd_arena *arena, const char *token,
                                struct acd_slice incarnation, int64_t floor_ms, const int32_t *partitions,
                                const struct acd_slice *markers, const struct acd_slice *jobs, uint32_t count)
{
    struct acd_args args;

    acd_store_function(store, arena, &args, "FCALL", "finish");
    acd_args_str(&args, token);
    acd_args_add(&args, incarnation);
    acd_args_int(&args, floor_ms);
    for (uint32_t i = 0; i < count; i++) {
        acd_args_int(&args, partitions[i]);
        acd_args_add(&args, markers[i]);
        acd_args_add(&args, jobs[i]);
    }
    return call(store, arena, &args);
}
