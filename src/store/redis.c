/* The connection. Works with hiredis 0.14 and 1.x. */
#include "redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/secret.h"
#include "redis_tls.h"

void acd_redis_close(struct acd_redis *redis)
{
    if (redis->context)
        redisFree(redis->context);
    redis->context = NULL;
    redis->unread_failed |= redis->unread > 0;
    redis->unread = 0;
}

static enum acd_store down(struct acd_redis *redis, const char *why)
{
    snprintf(redis->error, sizeof(redis->error), "%s", why);
    acd_redis_close(redis);
    return ACD_STORE_DOWN;
}

static enum acd_store authenticate(struct acd_redis *redis, const struct acd_settings *settings,
                                   struct acd_arena *arena)
{
    char password[1024];
    char reason[sizeof(redis->error) - 32];
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    if (!settings->redis.password_file[0])
        return ACD_STORE_OK;
    if (acd_secret_read(settings->redis.password_file, password, sizeof(password), reason, sizeof(reason))) {
        snprintf(redis->error, sizeof(redis->error), "redis.password_file: %s", reason);
        return ACD_STORE_HALT;
    }
    acd_args_init(&args, arena, 3);
    acd_args_str(&args, "AUTH");
    if (settings->redis.username[0])
        acd_args_str(&args, settings->redis.username);
    acd_args_str(&args, password);
    result = acd_redis_call(redis, &args, &reply);
    if (result == ACD_STORE_OK)
        freeReplyObject(reply);
    explicit_bzero(password, sizeof(password));
    return result;
}

static enum acd_store select_database(struct acd_redis *redis, const struct acd_settings *settings,
                                      struct acd_arena *arena)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    if (settings->redis.database == 0)
        return ACD_STORE_OK;
    acd_args_init(&args, arena, 2);
    acd_args_str(&args, "SELECT");
    acd_args_int(&args, settings->redis.database);
    result = acd_redis_call(redis, &args, &reply);
    if (result == ACD_STORE_OK)
        freeReplyObject(reply);
    return result;
}

enum acd_store acd_redis_connect(struct acd_redis *redis, const struct acd_settings *settings,
                                 struct acd_arena *arena)
{
    const struct timeval timeout = {ACD_REDIS_TIMEOUT_MS / 1000, ACD_REDIS_TIMEOUT_MS % 1000 * 1000};
    enum acd_store result;

    acd_redis_close(redis);
    redis->context = settings->redis.socket[0]
                         ? redisConnectUnixWithTimeout(settings->redis.socket, timeout)
                         : redisConnectWithTimeout(settings->redis.host, (int)settings->redis.port, timeout);
    if (!redis->context)
        return down(redis, "no memory");
    if (redis->context->err)
        return down(redis, redis->context->errstr);
    redisSetTimeout(redis->context, timeout);
    /* A Unix socket has no keepalive, and hiredis would keep the refusal as the connection's error. */
    if (!settings->redis.socket[0] && redisEnableKeepAlive(redis->context) != REDIS_OK)
        return down(redis, redis->context->errstr);
    result = settings->redis.tls
                 ? acd_redis_tls_start(redis->context, settings, redis->error, sizeof(redis->error))
                 : ACD_STORE_OK;
    if (result == ACD_STORE_OK)
        result = authenticate(redis, settings, arena);
    if (result == ACD_STORE_OK)
        result = select_database(redis, settings, arena);
    if (result != ACD_STORE_OK)
        acd_redis_close(redis);
    return result;
}

/* Longer than "$", a length and a line's end. */
#define LENGTH_BYTES 24

/* A line of the protocol: what kind, and a length. */
static char *put_length(char *at, char kind, size_t length)
{
    char digits[20];
    size_t count = 0;

    *at++ = kind;
    do
        digits[count++] = (char)('0' + length % 10);
    while (length /= 10);
    while (count > 0)
        *at++ = digits[--count];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* hiredis moves all that is left in its buffer after each write, and a socket takes some hundred kilobytes at
 * a time: a batch's megabytes get there piece by piece. */
#define PIECE_BYTES ((size_t)64 << 10)

static void append(struct acd_redis *redis, const char *text, size_t len)
{
    if (!redis->context)
        return;
    /* The only failure is no memory; the context then carries the error to the next read. */
    while (len > PIECE_BYTES) {
        redisAppendFormattedCommand(redis->context, text, PIECE_BYTES);
        acd_redis_flush(redis);
        text += PIECE_BYTES;
        len -= PIECE_BYTES;
    }
    redisAppendFormattedCommand(redis->context, text, len);
}

/* Of arguments that go to hiredis from where they are. */
static size_t long_bytes(const struct acd_args *args)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < args->count; i++)
        bytes += args->lengths[i] < PIECE_BYTES ? 0 : args->lengths[i];
    return bytes;
}

/* hiredis would print each length with its own printf, which shows in a batch of forty thousand arguments. */
void acd_redis_send(struct acd_redis *redis, const struct acd_args *args)
{
    size_t bytes = args->bytes - long_bytes(args) + (args->count + (size_t)1) * LENGTH_BYTES;
    char *text = acd_arena_alloc(args->arena, bytes);
    char *at = put_length(text, '*', args->count);

    for (uint32_t i = 0; i < args->count; i++) {
        at = put_length(at, '$', args->lengths[i]);
        if (args->lengths[i] < PIECE_BYTES) {
            memcpy(at, args->values[i], args->lengths[i]);
            at += args->lengths[i];
        } else {
            append(redis, text, (size_t)(at - text));
            append(redis, args->values[i], args->lengths[i]);
            at = text;
        }
        *at++ = '\r';
        *at++ = '\n';
    }
    append(redis, text, (size_t)(at - text));
}

void acd_redis_flush(struct acd_redis *redis)
{
    int done = 0;

    /* An error stays with the context, for the next read. */
    while (redis->context && !done && redisBufferWrite(redis->context, &done) == REDIS_OK)
        ;
}

/* Error replies begin with a word that tells their kind. */
static enum acd_store class_of(const char *error)
{
    static const char *const later[] = {"LOADING", "READONLY", "OOM",        "MISCONF",     "NOREPLICAS",
                                        "BUSY",    "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN", "UNBLOCKED"};

    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        size_t len = strlen(later[i]);

        if (strncmp(error, later[i], len) == 0 && (error[len] == ' ' || error[len] == '\0'))
            return ACD_STORE_LATER;
    }
    /* Functions can be loaded again. One reports a refusal that it ran into (a full memory, a read-only
     * replica) inside its own error. */
    if (strstr(error, ACD_NO_FUNCTION) || strstr(error, "-OOM ") || strstr(error, "-READONLY ") ||
        strstr(error, "-MISCONF ") || strstr(error, "-NOREPLICAS "))
        return ACD_STORE_LATER;
    return ACD_STORE_HALT;
}

static const char *broken(const struct acd_redis *redis)
{
    return redis->context->errstr[0] ? redis->context->errstr : "the connection broke";
}

void acd_redis_send_unread(struct acd_redis *redis, const struct acd_args *args)
{
    if (!redis->context) {
        redis->unread_failed = true;
        return;
    }
    acd_redis_send(redis, args);
    redis->unread++;
    acd_redis_flush(redis);
}

static bool read_past(struct acd_redis *redis)
{
    for (; redis->unread > 0; redis->unread--) {
        void *answer = NULL;

        if (redisGetReply(redis->context, &answer) != REDIS_OK || !answer)
            return false;
        redis->unread_failed |= ((redisReply *)answer)->type == REDIS_REPLY_ERROR;
        freeReplyObject(answer);
    }
    return true;
}

void acd_redis_settle(struct acd_redis *redis)
{
    if (redis->context && !read_past(redis))
        (void)down(redis, broken(redis));
}

enum acd_store acd_redis_read(struct acd_redis *redis, redisReply **reply)
{
    void *answer = NULL;
    enum acd_store result;

    *reply = NULL;
    if (!redis->context)
        return ACD_STORE_DOWN;
    if (!read_past(redis) || redisGetReply(redis->context, &answer) != REDIS_OK || !answer)
        return down(redis, broken(redis));
    *reply = answer;
    if ((*reply)->type != REDIS_REPLY_ERROR)
        return ACD_STORE_OK;
    snprintf(redis->error, sizeof(redis->error), "%s", (*reply)->str);
    result = class_of((*reply)->str);
    /* It changed its role or its memory: its identity is to be read again before anything else. */
    if (strstr((*reply)->str, "READONLY") || strstr((*reply)->str, "LOADING") ||
        strstr((*reply)->str, "MASTERDOWN"))
        acd_redis_close(redis);
    freeReplyObject(*reply);
    *reply = NULL;
    return result;
}

enum acd_store acd_redis_call(struct acd_redis *redis, const struct acd_args *args, redisReply **reply)
{
    acd_redis_send(redis, args);
    return acd_redis_read(redis, reply);
}

struct acd_slice acd_reply_slice(const redisReply *reply)
{
    bool text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;

    return text ? acd_slice(reply->str, reply->len) : acd_slice(NULL, 0);
}
