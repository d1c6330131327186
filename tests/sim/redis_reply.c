/* Answers as hiredis hands them out: its own freeReplyObject frees them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis.h"

static redisReply *make(int type)
{
    redisReply *reply = calloc(1, sizeof(*reply));

    if (!reply)
        abort();
    reply->type = type;
    return reply;
}

static redisReply *make_text(int type, struct acd_slice text)
{
    redisReply *reply = make(type);

    reply->str = malloc(text.len + 1);
    if (!reply->str)
        abort();
    if (text.len)
        memcpy(reply->str, text.data, text.len);
    reply->str[text.len] = '\0';
    reply->len = text.len;
    return reply;
}

redisReply *redis_integer(long long number)
{
    redisReply *reply = make(REDIS_REPLY_INTEGER);

    reply->integer = number;
    return reply;
}

redisReply *redis_text(struct acd_slice text)
{
    return text.data ? make_text(REDIS_REPLY_STRING, text) : make(REDIS_REPLY_NIL);
}

redisReply *redis_status(const char *text)
{
    return make_text(REDIS_REPLY_STATUS, acd_slice_str(text));
}

redisReply *redis_error(const char *format, ...)
{
    struct acd_slice text;
    va_list args;

    va_start(args, format);
    text = acd_arena_vformat(&sim.memory, format, args);
    va_end(args);
    return make_text(REDIS_REPLY_ERROR, text);
}

redisReply *redis_array(uint32_t count)
{
    redisReply *reply = make(REDIS_REPLY_ARRAY);

    reply->elements = count;
    reply->element = calloc(count + (size_t)1, sizeof(struct redisReply *));
    if (!reply->element)
        abort();
    return reply;
}

const char *redis_describe(const redisReply *reply, size_t max)
{
    struct acd_slice text = acd_slice_str("");

    switch (reply->type) {
    case REDIS_REPLY_INTEGER:
        return acd_arena_format(&sim.memory, "%lld", reply->integer).data;
    case REDIS_REPLY_NIL:
        return "nil";
    case REDIS_REPLY_ARRAY:
        for (size_t i = 0; i < reply->elements && text.len < max; i++)
            text = acd_arena_format(&sim.memory, "%s%s%s", text.data, i ? " " : "",
                                    redis_describe(reply->element[i], max));
        return acd_arena_format(&sim.memory, "[%.*s]", (int)max, text.data).data;
    default:
        return sim_readable(acd_slice(reply->str, reply->len), max);
    }
}

/* Functions are named after the hash of their library, which says nothing to a person. */
const char *redis_describe_call(const struct redis_call *call, size_t max)
{
    struct acd_slice text = acd_slice_str("");

    for (uint32_t i = 0; i < call->count && text.len < max; i++) {
        struct acd_slice arg = call->args[i];
        const char *cut = arg.len > 9 && memcmp(arg.data, "accountd_", 9) == 0
                              ? memchr(arg.data + 9, '_', arg.len - 9)
                              : NULL;

        if (cut)
            arg = acd_slice(cut + 1, (size_t)(arg.data + arg.len - cut - 1));
        text = acd_arena_format(&sim.memory, "%s%s%s", text.data, i ? " " : "",
                                arg.len ? sim_readable(arg, 70) : "''");
    }
    return acd_arena_format(&sim.memory, "%.*s%s", (int)max, text.data, text.len > max ? ".." : "").data;
}
