/* The store: connection, identity, loading. The commit is in commit.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/text.h"
#include "handle.h"

#include "functions_lua.h"

struct acd_store_handle *acd_store_open(const struct acd_settings *settings)
{
    struct acd_store_handle *store = calloc(1, sizeof(*store));

    if (store)
        store->settings = settings;
    return store;
}

void acd_store_close(struct acd_store_handle *store)
{
    if (!store)
        return;
    acd_redis_close(&store->redis);
    free(store);
}

const char *acd_store_error(const struct acd_store_handle *store)
{
    return store->redis.error;
}

void acd_store_disconnect(struct acd_store_handle *store)
{
    acd_redis_close(&store->redis);
}

bool acd_store_connected(const struct acd_store_handle *store)
{
    return store->redis.context != NULL;
}

const char *acd_store_identity(const struct acd_store_handle *store)
{
    return store->identity;
}

struct acd_slice acd_store_key(const struct acd_store_handle *store, struct acd_arena *arena,
                               const char *format, ...)
{
    va_list args;
    struct acd_slice rest;

    va_start(args, format);
    rest = acd_arena_vformat(arena, format, args);
    va_end(args);
    return acd_arena_format(arena, "%s%.*s", store->settings->redis.key_prefix, ACD_SLICE_ARGS(rest));
}

void acd_store_function(const struct acd_store_handle *store, struct acd_arena *arena, struct acd_args *args,
                        const char *call, const char *name)
{
    acd_args_init(args, arena, 16);
    acd_args_str(args, call);
    acd_args_add(args, acd_arena_format(arena, ACD_FUNCTIONS_NAME "_%s", name));
    acd_args_str(args, "0");
    acd_args_str(args, store->settings->redis.key_prefix);
}

struct acd_slice acd_info_value(struct acd_slice info, const char *name)
{
    size_t len = strlen(name);
    const char *line = info.len ? info.data : NULL;
    const char *end = line ? line + info.len : NULL;

    while (line && line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t line_len = (size_t)((stop ? stop : end) - line);

        if (line_len > len && line[len] == ':' && memcmp(line, name, len) == 0) {
            size_t value = line_len - len - 1;

            if (value && line[line_len - 1] == '\r')
                value--;
            return acd_slice(line + len + 1, value);
        }
        line = stop ? stop + 1 : NULL;
    }
    return acd_slice(NULL, 0);
}

static enum acd_store refuse(struct acd_store_handle *store, enum acd_store result, const char *why)
{
    snprintf(store->redis.error, sizeof(store->redis.error), "%s", why);
    acd_redis_close(&store->redis);
    return result;
}

/* An evicting or sharded Redis would lose accounts behind our back; a replica cannot be written. */
static enum acd_store check_server(struct acd_store_handle *store, struct acd_slice info)
{
    struct acd_slice policy = acd_info_value(info, "maxmemory_policy");
    struct acd_slice id = acd_info_value(info, "run_id");
    struct acd_slice replication = acd_info_value(info, "master_replid");

    if (!acd_slice_is(acd_info_value(info, "role"), "master"))
        return refuse(store, ACD_STORE_LATER, "READONLY this Redis is a replica");
    if (acd_slice_is(acd_info_value(info, "cluster_enabled"), "1"))
        return refuse(store, ACD_STORE_HALT, "this Redis is a cluster, which is not supported");
    if (policy.len && !acd_slice_is(policy, "noeviction"))
        return refuse(store, ACD_STORE_HALT,
                      "this Redis evicts keys when its memory is full: set maxmemory-policy to noeviction");
    if (!id.len || !replication.len)
        return refuse(store, ACD_STORE_HALT, "INFO names no run_id or master_replid");
    snprintf(store->identity, sizeof(store->identity), "%.*s %.*s", ACD_SLICE_ARGS(id),
             ACD_SLICE_ARGS(replication));
    return ACD_STORE_OK;
}

static enum acd_store read_identity(struct acd_store_handle *store, struct acd_arena *arena)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    acd_args_init(&args, arena, 1);
    acd_args_str(&args, "INFO");
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    result = check_server(store, acd_reply_slice(reply));
    freeReplyObject(reply);
    return result;
}

static enum acd_store load_functions(struct acd_store_handle *store, struct acd_arena *arena)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    acd_args_init(&args, arena, 3);
    acd_args_str(&args, "FUNCTION");
    acd_args_str(&args, "LOAD");
    acd_args_str(&args, acd_functions_lua);
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result == ACD_STORE_OK)
        freeReplyObject(reply);
    /* The library's name holds the hash of its text, so one of that name is the same. */
    return result == ACD_STORE_HALT && strstr(store->redis.error, "already exists") ? ACD_STORE_OK : result;
}

enum acd_store acd_store_connect(struct acd_store_handle *store, struct acd_arena *arena)
{
    char before[sizeof(store->identity)];
    enum acd_store result = acd_redis_connect(&store->redis, store->settings, arena);

    if (result != ACD_STORE_OK)
        return result;
    memcpy(before, store->identity, sizeof(before));
    result = read_identity(store, arena);
    if (result == ACD_STORE_OK)
        result = load_functions(store, arena);
    if (result == ACD_STORE_OK)
        return ACD_STORE_OK;
    /* A Redis that tells its identity and then goes on loading is not connected: the try that succeeds must
     * see that the identity is another one. */
    memcpy(store->identity, before, sizeof(before));
    acd_redis_close(&store->redis);
    return result;
}

enum acd_store acd_store_answer(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_args *args, redisReply **reply)
{
    enum acd_store result = acd_redis_read(&store->redis, reply);

    /* FUNCTION FLUSH, or a Redis that was put in place of the old one: the call did nothing. */
    if (result == ACD_STORE_LATER && strstr(store->redis.error, ACD_NO_FUNCTION)) {
        result = load_functions(store, arena);
        if (result == ACD_STORE_OK)
            result = acd_redis_call(&store->redis, args, reply);
    }
    return result;
}

enum acd_store acd_store_call(struct acd_store_handle *store, struct acd_arena *arena,
                              const struct acd_args *args, redisReply **reply)
{
    acd_redis_send(&store->redis, args);
    return acd_store_answer(store, arena, args, reply);
}

/* A call whose answer is one string; nil becomes the absent slice. */
static enum acd_store call_for_string(struct acd_store_handle *store, struct acd_arena *arena,
                                      const struct acd_args *args, struct acd_slice *out)
{
    redisReply *reply;
    enum acd_store result = acd_store_call(store, arena, args, &reply);

    *out = acd_slice(NULL, 0);
    if (result != ACD_STORE_OK)
        return result;
    if (acd_reply_slice(reply).data)
        *out = acd_arena_copy(arena, acd_reply_slice(reply));
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

static enum acd_store get(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice key,
                          struct acd_slice *out)
{
    struct acd_args args;

    acd_args_init(&args, arena, 2);
    acd_args_str(&args, "GET");
    acd_args_add(&args, key);
    return call_for_string(store, arena, &args, out);
}

enum acd_store acd_store_incarnation(struct acd_store_handle *store, struct acd_arena *arena,
                                     struct acd_slice *out)
{
    return get(store, arena, acd_store_key(store, arena, "accountd:incarnation"), out);
}

enum acd_store acd_store_establish(struct acd_store_handle *store, struct acd_arena *arena,
                                   struct acd_slice incarnation, int32_t partitions,
                                   struct acd_slice deployment, struct acd_slice *out)
{
    struct acd_args args;

    acd_store_function(store, arena, &args, "FCALL", "establish");
    acd_args_add(&args, incarnation);
    acd_args_int(&args, partitions);
    acd_args_add(&args, deployment);
    return call_for_string(store, arena, &args, out);
}

enum acd_store acd_store_markers(struct acd_store_handle *store, struct acd_arena *arena,
                                 const int32_t *partitions, uint32_t count, struct acd_slice *out)
{
    enum acd_store result = ACD_STORE_OK;

    for (uint32_t i = 0; i < count && result == ACD_STORE_OK; i++)
        result = get(store, arena, acd_store_key(store, arena, "accountd:marker:%d", partitions[i]), &out[i]);
    return result;
}

enum acd_store acd_store_outbox(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                int64_t step, struct acd_stored_outbox *out)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    *out = (struct acd_stored_outbox){0};
    acd_args_init(&args, arena, 4);
    acd_args_str(&args, "HMGET");
    if (step == ACD_OUTBOX_LAST)
        acd_args_add(&args, acd_store_key(store, arena, "accountd:outbox:%d", partition));
    else
        acd_args_add(&args,
                     acd_store_key(store, arena, "accountd:outbox:%d:%lld", partition, (long long)step));
    acd_args_str(&args, "marker");
    acd_args_str(&args, "messages");
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    if (reply->elements == 2 && acd_reply_slice(reply->element[0]).data &&
        acd_reply_slice(reply->element[1]).data) {
        out->marker = acd_arena_copy(arena, acd_reply_slice(reply->element[0]));
        out->messages = acd_arena_copy(arena, acd_reply_slice(reply->element[1]));
    }
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

enum acd_store acd_store_jobs(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                              struct acd_slice *out)
{
    return get(store, arena, acd_store_key(store, arena, "accountd:exports:%d", partition), out);
}

void acd_store_note(struct acd_store_handle *store, struct acd_arena *arena, const int32_t *partitions,
                    const struct acd_slice *markers, uint32_t count)
{
    struct acd_args args;
    redisReply *reply;

    acd_store_function(store, arena, &args, "FCALL", "note");
    for (uint32_t i = 0; i < count; i++) {
        acd_args_int(&args, partitions[i]);
        acd_args_add(&args, markers[i]);
    }
    if (!store->redis.unread_failed) {
        acd_redis_send_unread(&store->redis, &args);
    } else if (acd_store_call(store, arena, &args, &reply) == ACD_STORE_OK) {
        store->redis.unread_failed = false;
        freeReplyObject(reply);
    }
}

bool acd_store_note_lost(struct acd_store_handle *store, bool wait)
{
    if (wait)
        acd_redis_settle(&store->redis);
    return store->redis.unread_failed;
}

enum acd_store acd_store_attempts(struct acd_store_handle *store, struct acd_arena *arena, int32_t partition,
                                  int64_t offset, const char *worker, enum acd_attempts what, int64_t *before)
{
    static const char *const words[] = {"look", "count", "forget"};
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    acd_store_function(store, arena, &args, "FCALL", "attempts");
    acd_args_int(&args, partition);
    acd_args_int(&args, offset);
    acd_args_str(&args, worker);
    acd_args_str(&args, words[what]);
    result = acd_store_call(store, arena, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    if (before)
        *before = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

enum acd_store acd_store_newest(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice app,
                                int64_t *created_at_ms, struct acd_slice *name)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    *name = acd_slice(NULL, 0);
    acd_args_init(&args, arena, 5);
    acd_args_str(&args, "ZRANGE");
    acd_args_add(&args, acd_store_key(store, arena, "accounts:{%.*s}", ACD_SLICE_ARGS(app)));
    acd_args_str(&args, "-1");
    acd_args_str(&args, "-1");
    acd_args_str(&args, "WITHSCORES");
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    if (reply->elements == 2 && acd_reply_slice(reply->element[1]).data) {
        *name = acd_arena_copy(arena, acd_reply_slice(reply->element[0]));
        *created_at_ms = (int64_t)strtod(reply->element[1]->str, NULL);
    }
    freeReplyObject(reply);
    return ACD_STORE_OK;
}
