/* A look at Redis before it is used: what it is, and whether this user may do all that accountd does. */
#include <string.h>

#include "accountd/text.h"
#include "handle.h"

#include "functions_lua.h"

#define OLDEST_MAJOR 7

/* A command that accountd sends or a function of it runs, with arguments that it would take. "@" stands
 * before a key, which then gets the prefix. */
struct right {
    const char *words[5];
};

static const struct right rights[] = {
    {{"FUNCTION", "LOAD", "x"}},
    {{"FCALL", ACD_FUNCTIONS_NAME "_note", "0", ""}},
    {{"FCALL_RO", ACD_FUNCTIONS_NAME "_list", "0", ""}},
    {{"SCAN", "0"}},
    {{"TIME"}},
    {{"GET", "@accountd:incarnation"}},
    {{"SET", "@accountd:incarnation", "x"}},
    {{"EXISTS", "@accountd:recovery"}},
    {{"DEL", "@accountd:recovery"}},
    {{"UNLINK", "@acct:{check}:check"}},
    {{"RENAME", "@accountd:outbox:0:next", "@accountd:outbox:0"}},
    {{"HGET", "@accountd:outbox:0:next", "marker"}},
    {{"HMGET", "@acct:{check}:check", "rev"}},
    {{"HSET", "@acct:{check}:check", "rev", "1"}},
    {{"HGETALL", "@acct:{check}:check"}},
    {{"RESTORE", "@acct:{check}:check", "0", "x"}},
    {{"HDEL", "@acct:{check}:check", "rev"}},
    {{"HKEYS", "@acct:{check}:check"}},
    {{"HLEN", "@deleted:{check}"}},
    {{"ZADD", "@accounts:{check}", "1", "check"}},
    {{"ZREM", "@accounts:{check}", "check"}},
    {{"ZCARD", "@accounts:{check}"}},
    {{"ZCOUNT", "@accounts:{check}", "-inf", "1"}},
    {{"ZRANGE", "@accounts:{check}", "0", "1"}},
    {{"ZSCORE", "@accountd:spent", "check"}},
    {{"ZMSCORE", "@accountd:spent", "check"}},
    {{"ZREMRANGEBYRANK", "@accountd:spent", "0", "-1"}},
    {{"SADD", "@admins:{check}", "check"}},
    {{"SREM", "@admins:{check}", "check"}},
    {{"SCARD", "@admins:{check}"}},
};

static enum acd_store call_word(struct acd_store_handle *store, struct acd_arena *arena, const char *word)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    acd_args_init(&args, arena, 1);
    acd_args_str(&args, word);
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result == ACD_STORE_OK)
        freeReplyObject(reply);
    return result;
}

/* A line's key, or "" for a command without one. */
static const char *key_of(const struct right *right)
{
    return right->words[1] && right->words[1][0] == '@' ? right->words[1] + 1 : "";
}

static void examine_right(struct acd_store_handle *store, struct acd_arena *arena, const struct right *right,
                          struct acd_findings *findings)
{
    struct acd_args args;
    redisReply *reply;

    acd_args_init(&args, arena, 5);
    for (size_t i = 0; i < 5 && right->words[i]; i++)
        acd_args_add(&args, right->words[i][0] == '@' ? acd_store_key(store, arena, "%s", right->words[i] + 1)
                                                      : acd_slice_str(right->words[i]));
    if (acd_redis_call(&store->redis, &args, &reply) == ACD_STORE_OK)
        freeReplyObject(reply);
    else if (strstr(store->redis.error, "NOPERM"))
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "Redis: this user may not do %s %s%s: give it the right with ACL SETUSER (%s)",
                        right->words[0], key_of(right)[0] ? store->settings->redis.key_prefix : "",
                        key_of(right), store->redis.error);
}

/* Redis compares a command with the user's rights when a transaction queues it; nothing of this one is
 * executed. */
static void examine_rights(struct acd_store_handle *store, struct acd_arena *arena,
                           struct acd_findings *findings)
{
    enum acd_weight before = findings->worst;
    enum acd_store ended;

    if (call_word(store, arena, "MULTI") != ACD_STORE_OK) {
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN, "Redis: this user may not do MULTI: %s",
                        store->redis.error);
        return;
    }
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
        examine_right(store, arena, &rights[i], findings);
    ended = call_word(store, arena, "DISCARD");
    if (ended == ACD_STORE_DOWN)
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE, "Redis: the connection broke: %s",
                        store->redis.error);
    else if (ended != ACD_STORE_OK)
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN, "Redis: this user may not do DISCARD: %s",
                        store->redis.error);
    else if (findings->worst == before)
        acd_finding_add(findings, ACD_FOUND_OK, "Redis: this user may call functions and write all keys");
}

static void examine_version(struct acd_slice version, struct acd_findings *findings)
{
    size_t dot = 0;
    int64_t major = 0;

    while (dot < version.len && version.data[dot] != '.')
        dot++;
    if (!acd_int_parse(acd_slice(version.data, dot), &major))
        acd_finding_add(findings, ACD_FOUND_WARNING,
                        "Redis: INFO names no redis_version; %d or later is needed", OLDEST_MAJOR);
    else if (major < OLDEST_MAJOR)
        acd_finding_add(findings, ACD_FOUND_WRONG, "Redis: version %.*s has no functions: use %d or later",
                        ACD_SLICE_ARGS(version), OLDEST_MAJOR);
    else
        acd_finding_add(findings, ACD_FOUND_OK, "Redis: version %.*s", ACD_SLICE_ARGS(version));
}

static void examine_info(struct acd_slice info, struct acd_findings *findings)
{
    struct acd_slice policy = acd_info_value(info, "maxmemory_policy");

    examine_version(acd_info_value(info, "redis_version"), findings);
    if (acd_slice_is(acd_info_value(info, "loading"), "1"))
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE, "Redis: it is loading its data: try again later");
    if (!acd_slice_is(acd_info_value(info, "role"), "master"))
        acd_finding_add(findings, ACD_FOUND_WRONG, "Redis: it is a replica: name the master in redis.host");
    if (acd_slice_is(acd_info_value(info, "cluster_enabled"), "1"))
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "Redis: it is a cluster, which is not supported: use a Redis of its own");
    if (policy.len && !acd_slice_is(policy, "noeviction"))
        acd_finding_add(findings, ACD_FOUND_WRONG,
                        "Redis: maxmemory-policy is %.*s, which loses accounts when memory is full: "
                        "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
                        ACD_SLICE_ARGS(policy));
    if (acd_slice_is(acd_info_value(info, "aof_enabled"), "0"))
        acd_finding_add(
            findings, ACD_FOUND_WARNING,
            "Redis: appendonly is off, so every restart of it means a restore from the changelog: "
            "CONFIG SET appendonly yes, and in redis.conf");
}

static bool is_about_tls(const char *error)
{
    return strncmp(error, "TLS", 3) == 0 || strncmp(error, "redis.tls", 9) == 0;
}

static bool connect_to(struct acd_store_handle *store, struct acd_arena *arena, struct acd_findings *findings)
{
    const struct acd_settings *settings = store->settings;
    enum acd_store result = acd_redis_connect(&store->redis, settings, arena);
    struct acd_slice where =
        settings->redis.socket[0]
            ? acd_slice_str(settings->redis.socket)
            : acd_arena_format(arena, "%s:%lld", settings->redis.host, (long long)settings->redis.port);

    if (result == ACD_STORE_HALT && settings->redis.tls && is_about_tls(store->redis.error))
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "Redis at %.*s: no TLS: %s: its certificate must be of that name and authority; see "
                        "redis.tls_ca_file and the other tls_ settings",
                        ACD_SLICE_ARGS(where), store->redis.error);
    else if (result == ACD_STORE_HALT)
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "Redis at %.*s refuses the login: %s: see redis.username, password_file and database",
                        ACD_SLICE_ARGS(where), store->redis.error);
    else if (result != ACD_STORE_OK)
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE,
                        "Redis at %.*s cannot be reached: %s: see redis.host, port and socket",
                        ACD_SLICE_ARGS(where), store->redis.error);
    else
        acd_finding_add(findings, ACD_FOUND_OK, "Redis at %.*s is reached", ACD_SLICE_ARGS(where));
    return result == ACD_STORE_OK;
}

void acd_store_examine(struct acd_store_handle *store, struct acd_arena *arena, struct acd_findings *findings)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    if (!connect_to(store, arena, findings))
        return;
    acd_args_init(&args, arena, 1);
    acd_args_str(&args, "INFO");
    result = acd_redis_call(&store->redis, &args, &reply);
    if (result == ACD_STORE_OK) {
        bool master = acd_slice_is(acd_info_value(acd_reply_slice(reply), "role"), "master");

        examine_info(acd_reply_slice(reply), findings);
        freeReplyObject(reply);
        /* A replica says READONLY to whatever writes, also to a user who may not. */
        if (master)
            examine_rights(store, arena, findings);
    } else if (result == ACD_STORE_DOWN) {
        acd_finding_add(findings, ACD_FOUND_UNREACHABLE,
                        "Redis: it closes the connection: %s: see redis.port, redis.tls and "
                        "redis.tls_certificate_file",
                        store->redis.error);
    } else {
        acd_finding_add(findings, ACD_FOUND_FORBIDDEN,
                        "Redis: it does not answer INFO: %s: give the user the right with ACL SETUSER",
                        store->redis.error);
    }
    acd_redis_close(&store->redis);
}
