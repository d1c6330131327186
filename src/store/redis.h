/* redis.h: one connection to Redis, and how its refusals are classed. Private to the store.
 *
 * After any failure of the connection it is closed: what was sent may or may not have been done, and nothing
 * else may go over it.
 */
#ifndef ACCOUNTD_STORE_REDIS_H
#define ACCOUNTD_STORE_REDIS_H

#include <hiredis/hiredis.h>

#include "accountd/arena.h"
#include "accountd/settings.h"
#include "accountd/store.h"

/* Longer than any call takes that Redis serves at all. */
#define ACD_REDIS_TIMEOUT_MS 3000

/* What Redis says when it does not know a function: somebody has flushed them. */
#define ACD_NO_FUNCTION "Function not found"

struct acd_redis {
    redisContext *context; /* NULL: not connected */
    uint32_t unread;       /* answers that nobody waits for, and that come before all others */
    bool unread_failed;    /* one of them was a refusal, or never came */
    char error[256];
};

/* The arguments of one command, in an arena. */
struct acd_args {
    struct acd_arena *arena;
    const char **values;
    size_t *lengths;
    uint32_t count;
    uint32_t capacity;
    size_t bytes;
};

void acd_args_init(struct acd_args *args, struct acd_arena *arena, uint32_t capacity);
void acd_args_add(struct acd_args *args, struct acd_slice value); /* borrows */
void acd_args_str(struct acd_args *args, const char *text);       /* borrows */
void acd_args_int(struct acd_args *args, int64_t number);
void acd_args_clear(struct acd_args *args); /* none of them, with the room that it has */

/* A hole for a number that is known only after what it counts. */
uint32_t acd_args_hole(struct acd_args *args);
void acd_args_fill(struct acd_args *args, uint32_t hole, int64_t number);

/* Connects, authenticates and selects the database. Closes an earlier connection. */
enum acd_store acd_redis_connect(struct acd_redis *redis, const struct acd_settings *settings,
                                 struct acd_arena *arena);

void acd_redis_close(struct acd_redis *redis);

/* Sends a command; its answer is read by acd_redis_read, in order. Nothing goes out before the first read. */
void acd_redis_send(struct acd_redis *redis, const struct acd_args *args);

/* Sends out now what was sent so far, so that Redis works while the caller does something else. */
void acd_redis_flush(struct acd_redis *redis);

/* Sends out a command now whose answer nobody waits for: it is read past when the next one is read. */
void acd_redis_send_unread(struct acd_redis *redis, const struct acd_args *args);

/* Waits for those answers now. */
void acd_redis_settle(struct acd_redis *redis);

/* The next answer. Returns ACD_STORE_OK with *reply to be freed by the caller, or how it failed (no reply).
 */
enum acd_store acd_redis_read(struct acd_redis *redis, redisReply **reply)
    __attribute__((warn_unused_result));

/* Send and read. */
enum acd_store acd_redis_call(struct acd_redis *redis, const struct acd_args *args, redisReply **reply)
    __attribute__((warn_unused_result));

/* A string reply as a slice of it; absent for nil and all else. */
struct acd_slice acd_reply_slice(const redisReply *reply);

#endif
