/* The floor of an export of everything: the accounts of an app in the order of the index, each one's hash
 * read over one connection, pipelined. What comes is counted and thrown away.
 *
 *   sweep REDIS_PORT APP          prints the accounts, and the seconds that they took */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "kafka.h"

#define PIECE 1000 /* accounts of one pipeline */

static redisReply *answer(redisContext *redis)
{
    redisReply *reply = NULL;

    if (redisGetReply(redis, (void **)&reply) != REDIS_OK)
        bench_die("redis: %s", redis->errstr);
    if (reply->type != REDIS_REPLY_ARRAY)
        bench_die("redis: not a list: %s", reply->str ? reply->str : "");
    return reply;
}

/* How many accounts of the next piece have a hash. */
static size_t sweep(redisContext *redis, const char *app, const redisReply *names)
{
    size_t found = 0;

    for (size_t i = 0; i < names->elements; i++)
        redisAppendCommand(redis, "HGETALL acct:{%s}:%b", app, names->element[i]->str,
                           names->element[i]->len);
    for (size_t i = 0; i < names->elements; i++) {
        redisReply *hash = answer(redis);

        found += hash->elements > 0;
        freeReplyObject(hash);
    }
    return found;
}

int main(int argc, char **argv)
{
    redisContext *redis;
    int64_t begin = bench_now_ns();
    size_t found = 0;
    size_t count = PIECE;

    if (argc != 3)
        bench_die("usage: sweep REDIS_PORT APP");
    redis = redisConnect("127.0.0.1", atoi(argv[1]));
    if (!redis || redis->err)
        bench_die("redis: %s", redis ? redis->errstr : "no memory");
    for (unsigned long from = 0; count == PIECE; from += PIECE) {
        redisReply *names;

        redisAppendCommand(redis, "ZRANGE accounts:{%s} %lu %lu", argv[2], from, from + PIECE - 1);
        names = answer(redis);
        count = names->elements;
        found += sweep(redis, argv[2], names);
        freeReplyObject(names);
    }
    printf("%zu %.3f\n", found, (double)(bench_now_ns() - begin) / 1e9);
    redisFree(redis);
    return 0;
}
