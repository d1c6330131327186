/* The commands that accountd uses, and no others. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis.h"

/* Where the servers' clock begins: some time in 2026. */
#define EPOCH_S 1795378000

typedef redisReply *command_run(struct redis_server *server, const struct acd_slice *args, uint32_t count);

static const char wrong_type[] = "WRONGTYPE Operation against a key holding the wrong kind of value";

/* True when the key is not there or of that type. */
static bool is_type(const struct redis_server *server, struct acd_slice key, enum redis_type type)
{
    const struct redis_value *value = redis_value(&server->db, key);

    return !value || value->type == type;
}

static struct acd_slice item_value(const struct redis_value *value, struct acd_slice name)
{
    int64_t at = redis_item(value, name);

    return at < 0 ? acd_slice(NULL, 0) : value->items[at].value;
}

/* ---- The server */

static redisReply *info(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return redis_text(acd_arena_format(&sim.memory,
                                       "# Server\r\nredis_version:7.0.15\r\nrun_id:%s\r\n# Memory\r\n"
                                       "maxmemory_policy:noeviction\r\n# Replication\r\nrole:%s\r\n"
                                       "master_replid:%s\r\n# Cluster\r\ncluster_enabled:0\r\n",
                                       server->run_id, server->master ? "master" : "slave",
                                       server->replication_id));
}

static redisReply *time_now(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    redisReply *reply = redis_array(2);

    reply->element[0] =
        redis_text(acd_arena_format(&sim.memory, "%lld", (long long)(EPOCH_S + sim.now_us / SECOND)));
    reply->element[1] = redis_text(acd_arena_format(&sim.memory, "%lld", (long long)(sim.now_us % SECOND)));
    return reply;
}

static redisReply *function(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return redis_lua_load(server, args[2]);
}

static redisReply *fcall(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return redis_lua_call(server, &(struct redis_call){(struct acd_slice *)(uintptr_t)args, count, NULL});
}

/* ---- Keys */

static redisReply *get(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    const struct redis_value *value = redis_value(&server->db, args[1]);

    if (value && value->type != REDIS_STRING)
        return redis_error(wrong_type);
    return redis_text(value ? value->items[0].value : acd_slice(NULL, 0));
}

static redisReply *set(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    struct redis_value *value;

    redis_delete(&server->db, args[1]);
    value = redis_change(&server->db, args[1], REDIS_STRING, 1);
    value->count = 1;
    value->items[0].value = acd_arena_copy(&sim.memory, args[2]);
    return redis_status("OK");
}

static redisReply *del(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    long long deleted = 0;

    for (uint32_t i = 1; i < count; i++)
        deleted += redis_delete(&server->db, args[i]);
    return redis_integer(deleted);
}

static redisReply *rename_key(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    const struct redis_value *from = redis_value(&server->db, args[1]);
    struct redis_value *to;

    if (!from)
        return redis_error("ERR no such key");
    redis_delete(&server->db, args[2]);
    to = redis_change(&server->db, args[2], from->type, from->count);
    for (uint32_t i = 0; i < from->count; i++)
        redis_put(to, from->items[i].name, from->items[i].value);
    redis_delete(&server->db, args[1]);
    return redis_status("OK");
}

static redisReply *exists(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    long long found = 0;

    for (uint32_t i = 1; i < count; i++)
        found += redis_value(&server->db, args[i]) != NULL;
    return redis_integer(found);
}

static redisReply *type(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    static const char *const names[] = {"string", "hash", "set", "zset"};
    const struct redis_value *value = redis_value(&server->db, args[1]);

    return redis_status(value ? names[value->type] : "none");
}

/* A pattern that is a text and a star. */
static bool fits(struct acd_slice pattern, struct acd_slice name)
{
    size_t at = 0;

    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '*' && i + 1 == pattern.len)
            return true;
        i += pattern.data[i] == '\\' && i + 1 < pattern.len;
        if (at == name.len || name.data[at++] != pattern.data[i])
            return false;
    }
    return at == name.len;
}

/* Few at a time, so that a sweep takes several calls. What is there all the time is found. */
static redisReply *scan(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    uint64_t cursor = strtoull(args[1].data, NULL, 10);
    uint64_t last = 0;
    uint32_t room = 1 + sim_below(8);
    redisReply *reply = redis_array(2);
    redisReply *keys = redis_array(room);

    keys->elements = 0;
    for (uint64_t number = cursor + 1; number <= server->db.numbers && room > 0; number++) {
        last = number;
        for (uint32_t i = 0; i < server->db.count; i++) {
            const struct redis_key *key = &server->db.keys[i];

            if (key->number != number || !key->value || !fits(args[3], key->name))
                continue;
            keys->element[keys->elements++] = redis_text(key->name);
            room--;
        }
    }
    if (last >= server->db.numbers)
        last = 0;
    reply->element[0] = redis_text(acd_arena_format(&sim.memory, "%llu", (unsigned long long)last));
    reply->element[1] = keys;
    return reply;
}

/* The items from one index to another, which count from the end when they are negative. */
static redisReply *names_from(const struct redis_value *value, int64_t first, int64_t last, bool with_values)
{
    uint32_t count = value ? value->count : 0;
    redisReply *reply;

    first = first < 0 ? first + count : first;
    last = last < 0 ? last + count : last < count ? last : (int64_t)count - 1;
    first = first < 0 ? 0 : first;
    count = first <= last ? (uint32_t)(last - first + 1) : 0;
    reply = redis_array(with_values ? 2 * count : count);
    for (uint32_t i = 0; i < count; i++) {
        const struct redis_item *item = &value->items[(uint32_t)first + i];

        reply->element[with_values ? 2 * i : i] = redis_text(item->name);
        if (with_values)
            reply->element[2 * i + 1] = redis_text(item->value);
    }
    return reply;
}

/* ---- Hashes */

static redisReply *hget(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    if (!is_type(server, args[1], REDIS_HASH))
        return redis_error(wrong_type);
    return redis_text(item_value(redis_value(&server->db, args[1]), args[2]));
}

static redisReply *hmget(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    redisReply *reply;

    if (!is_type(server, args[1], REDIS_HASH))
        return redis_error(wrong_type);
    reply = redis_array(count - 2);
    for (uint32_t i = 2; i < count; i++)
        reply->element[i - 2] = redis_text(item_value(redis_value(&server->db, args[1]), args[i]));
    return reply;
}

static redisReply *hgetall(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    const struct redis_value *value = redis_value(&server->db, args[1]);
    redisReply *reply;

    if (!is_type(server, args[1], REDIS_HASH))
        return redis_error(wrong_type);
    reply = redis_array(value ? 2 * value->count : 0);
    for (uint32_t i = 0; value && i < value->count; i++) {
        reply->element[2 * i] = redis_text(value->items[i].name);
        reply->element[2 * i + 1] = redis_text(value->items[i].value);
    }
    return reply;
}

static redisReply *hkeys(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    if (!is_type(server, args[1], REDIS_HASH))
        return redis_error(wrong_type);
    return names_from(redis_value(&server->db, args[1]), 0, -1, false);
}

static redisReply *hset(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    struct redis_value *value;

    if (!is_type(server, args[1], REDIS_HASH))
        return redis_error(wrong_type);
    if (count < 4 || count % 2)
        return redis_error("ERR wrong number of arguments for 'hset' command");
    value = redis_change(&server->db, args[1], REDIS_HASH, count / 2);
    for (uint32_t i = 2; i < count; i += 2)
        redis_put(value, args[i], args[i + 1]);
    return redis_integer(0);
}

/* Members of any collection. */
static redisReply *remove_items(struct redis_server *server, const struct acd_slice *args, uint32_t count,
                                enum redis_type of)
{
    long long removed = 0;

    if (!is_type(server, args[1], of))
        return redis_error(wrong_type);
    for (uint32_t i = 2; i < count; i++) {
        int64_t at = redis_item(redis_value(&server->db, args[1]), args[i]);

        if (at < 0)
            continue;
        redis_take_out(&server->db, args[1], redis_change(&server->db, args[1], of, 0), (uint32_t)at);
        removed++;
    }
    return redis_integer(removed);
}

static redisReply *hdel(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return remove_items(server, args, count, REDIS_HASH);
}

static redisReply *size_of(struct redis_server *server, struct acd_slice key, enum redis_type of)
{
    const struct redis_value *value = redis_value(&server->db, key);

    return is_type(server, key, of) ? redis_integer(value ? value->count : 0) : redis_error(wrong_type);
}

static redisReply *hlen(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return size_of(server, args[1], REDIS_HASH);
}

/* ---- Sets */

static redisReply *sadd(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    struct redis_value *value;

    if (!is_type(server, args[1], REDIS_SET))
        return redis_error(wrong_type);
    value = redis_change(&server->db, args[1], REDIS_SET, count - 2);
    for (uint32_t i = 2; i < count; i++)
        redis_put(value, args[i], acd_slice(NULL, 0));
    return redis_integer(0);
}

static redisReply *srem(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return remove_items(server, args, count, REDIS_SET);
}

static redisReply *scard(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return size_of(server, args[1], REDIS_SET);
}

static redisReply *smembers(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    if (!is_type(server, args[1], REDIS_SET))
        return redis_error(wrong_type);
    return names_from(redis_value(&server->db, args[1]), 0, -1, false);
}

/* ---- Sorted sets */

static bool is_before(const struct redis_item *a, const struct redis_item *b)
{
    return a->score < b->score || (!(a->score > b->score) && acd_slice_compare(a->name, b->name) < 0);
}

static void sort(struct redis_value *value)
{
    for (uint32_t i = 1; i < value->count; i++) {
        struct redis_item moved = value->items[i];
        uint32_t at = i;

        for (; at > 0 && is_before(&moved, &value->items[at - 1]); at--)
            value->items[at] = value->items[at - 1];
        value->items[at] = moved;
    }
}

static redisReply *zadd(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    struct redis_value *value;

    if (!is_type(server, args[1], REDIS_ZSET))
        return redis_error(wrong_type);
    value = redis_change(&server->db, args[1], REDIS_ZSET, count / 2);
    for (uint32_t i = 2; i + 1 < count; i += 2) {
        redis_put(value, args[i + 1], args[i]);
        value->items[redis_item(value, args[i + 1])].score = strtod(args[i].data, NULL);
    }
    sort(value);
    return redis_integer(0);
}

static redisReply *zrem(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return remove_items(server, args, count, REDIS_ZSET);
}

static redisReply *zcard(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    return size_of(server, args[1], REDIS_ZSET);
}

/* "-inf", "5", or "(5" for without 5 itself. */
static double limit_of(struct acd_slice text, bool *open)
{
    *open = text.len > 0 && text.data[0] == '(';
    return strtod(text.data + *open, NULL);
}

static redisReply *zcount(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    const struct redis_value *value = redis_value(&server->db, args[1]);
    bool low_open;
    bool high_open;
    double low = limit_of(args[2], &low_open);
    double high = limit_of(args[3], &high_open);
    long long found = 0;

    if (!is_type(server, args[1], REDIS_ZSET))
        return redis_error(wrong_type);
    for (uint32_t i = 0; value && i < value->count; i++) {
        double score = value->items[i].score;

        found += (low_open ? score > low : score >= low) && (high_open ? score < high : score <= high);
    }
    return redis_integer(found);
}

static redisReply *zrange(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    if (!is_type(server, args[1], REDIS_ZSET))
        return redis_error(wrong_type);
    return names_from(redis_value(&server->db, args[1]), strtoll(args[2].data, NULL, 10),
                      strtoll(args[3].data, NULL, 10), count > 4 && acd_slice_is(args[4], "WITHSCORES"));
}

static redisReply *zscore(struct redis_server *server, const struct acd_slice *args, uint32_t count)
{
    if (!is_type(server, args[1], REDIS_ZSET))
        return redis_error(wrong_type);
    return redis_text(item_value(redis_value(&server->db, args[1]), args[2]));
}

/* ---- The table */

static const struct {
    const char *name;
    uint32_t args; /* at least so many, the name counted */
    unsigned int flags;
    command_run *run; /* NULL: the connection's own matter */
} commands[] = {
    {"INFO", 1, REDIS_WHILE_LOADING, info},
    {"TIME", 1, REDIS_WHILE_LOADING, time_now},
    {"FUNCTION", 3, REDIS_WRITES | REDIS_GROWS, function},
    {"FCALL", 3, REDIS_WRITES | REDIS_GROWS, fcall},
    {"FCALL_RO", 3, 0, fcall},
    {"GET", 2, 0, get},
    {"SET", 3, REDIS_WRITES | REDIS_GROWS, set},
    {"DEL", 2, REDIS_WRITES, del},
    {"UNLINK", 2, REDIS_WRITES, del},
    {"RENAME", 3, REDIS_WRITES, rename_key},
    {"EXISTS", 2, 0, exists},
    {"TYPE", 2, 0, type},
    {"SCAN", 4, 0, scan},
    {"HGET", 3, 0, hget},
    {"HMGET", 3, 0, hmget},
    {"HGETALL", 2, 0, hgetall},
    {"HKEYS", 2, 0, hkeys},
    {"HSET", 4, REDIS_WRITES | REDIS_GROWS, hset},
    {"HDEL", 3, REDIS_WRITES, hdel},
    {"RESTORE", 4, REDIS_WRITES | REDIS_GROWS, redis_restore},
    {"HLEN", 2, 0, hlen},
    {"SADD", 3, REDIS_WRITES | REDIS_GROWS, sadd},
    {"SREM", 3, REDIS_WRITES, srem},
    {"SCARD", 2, 0, scard},
    {"SMEMBERS", 2, 0, smembers},
    {"ZADD", 4, REDIS_WRITES | REDIS_GROWS, zadd},
    {"ZREM", 3, REDIS_WRITES, zrem},
    {"ZCARD", 2, 0, zcard},
    {"ZCOUNT", 4, 0, zcount},
    {"ZRANGE", 4, 0, zrange},
    {"ZSCORE", 3, 0, zscore},
    {"MULTI", 1, REDIS_WHILE_LOADING, NULL},
    {"EXEC", 1, REDIS_WHILE_LOADING, NULL},
    {"WATCH", 2, REDIS_WHILE_LOADING, NULL},
    {"UNWATCH", 1, REDIS_WHILE_LOADING, NULL},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static size_t find_command(const struct redis_call *call)
{
    size_t i = 0;

    while (i < COMMANDS && !acd_slice_is(call->args[0], commands[i].name))
        i++;
    if (i < COMMANDS && call->count >= commands[i].args)
        return i;
    sim_fail("the simulated Redis does not know this call: %s", redis_describe_call(call, 200));
    return COMMANDS;
}

bool redis_is_short(const struct redis_call *call)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (acd_slice_is(call->args[0], commands[i].name))
            return call->count < commands[i].args;
    return false;
}

unsigned int redis_flags(const struct redis_call *call)
{
    size_t i = find_command(call);

    return i < COMMANDS ? commands[i].flags : 0;
}

redisReply *redis_execute(struct redis_server *server, const struct redis_call *call)
{
    size_t i = find_command(call);

    return i < COMMANDS && commands[i].run ? commands[i].run(server, call->args, call->count)
                                           : redis_error("ERR unknown command");
}
