/* handle.h: the store's inside, shared by its files. */
#ifndef ACCOUNTD_STORE_HANDLE_H
#define ACCOUNTD_STORE_HANDLE_H

#include "redis.h"

struct acd_store_handle {
    const struct acd_settings *settings;
    struct acd_redis redis;
    char identity[128];
};

/* A key of ours: the prefix and what the format gives. */
struct acd_slice acd_store_key(const struct acd_store_handle *store, struct acd_arena *arena,
                               const char *format, ...) __attribute__((format(printf, 3, 4)));

struct acd_slice acd_store_account_key(const struct acd_store_handle *store, struct acd_arena *arena,
                                       struct acd_slice app, struct acd_slice account);

/* An account from HGETALL's answer; the deleted one of that revision when there is none. */
const struct acd_account *acd_store_read_account(struct acd_arena *arena, const redisReply *hash,
                                                 int64_t deleted_revision);

/* The value of a line "name:value" of INFO's answer; absent when there is none. */
struct acd_slice acd_info_value(struct acd_slice info, const char *name);

/* Begins a call of a function: FCALL or FCALL_RO, its name, no declared keys, the prefix. */
void acd_store_function(const struct acd_store_handle *store, struct acd_arena *arena, struct acd_args *args,
                        const char *call, const char *name);

/* Calls a function, and loads the library again when Redis does not know it. */
enum acd_store acd_store_call(struct acd_store_handle *store, struct acd_arena *arena,
                              const struct acd_args *args, redisReply **reply)
    __attribute__((warn_unused_result));

/* The answer to a function that was sent before all else that was answered; the same about the library. */
enum acd_store acd_store_answer(struct acd_store_handle *store, struct acd_arena *arena,
                                const struct acd_args *args, redisReply **reply)
    __attribute__((warn_unused_result));

/* Adds to a commit what it spends; nothing where that is nothing. */
void acd_spending_add(struct acd_args *args, const struct acd_spending *spending);

#endif
