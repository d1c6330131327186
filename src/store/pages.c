/* Pages of an app's index, and the accounts of a page. */
#include "accountd/text.h"
#include "handle.h"

static void list_args(struct acd_store_handle *store, struct acd_arena *arena,
                      const struct acd_command *command, struct acd_args *args)
{
    acd_store_function(store, arena, args, "FCALL_RO", "list");
    acd_args_add(args, command->app);
    acd_args_int(args, command->list_limit);
    if (command->list_from_cursor) {
        acd_args_int(args, command->cursor_created_at_ms);
        acd_args_add(args, command->cursor_account);
    } else {
        acd_args_str(args, "");
        acd_args_str(args, "");
    }
}

static void read_page(struct acd_arena *arena, const redisReply *reply, struct acd_page *out)
{
    const redisReply *page;

    if (reply->elements != 4)
        return;
    page = reply->element[2];
    out->total = reply->element[0]->integer;
    out->more = reply->element[1]->integer != 0;
    out->behind = reply->element[3]->integer;
    out->names = acd_arena_calloc(arena, page->elements / 2, sizeof(*out->names));
    out->created_at_ms = acd_arena_calloc(arena, page->elements / 2, sizeof(*out->created_at_ms));
    for (; out->count < page->elements / 2; out->count++) {
        const redisReply *const *row = (const redisReply *const *)&page->element[2 * out->count];

        out->names[out->count] = acd_arena_copy(arena, acd_reply_slice(row[0]));
        if (!acd_int_parse(acd_reply_slice(row[1]), &out->created_at_ms[out->count]))
            out->created_at_ms[out->count] = -1;
    }
}

enum acd_store acd_store_list(struct acd_store_handle *store, struct acd_arena *arena,
                              const struct acd_command *command, struct acd_page *out)
{
    struct acd_args args;
    redisReply *reply;
    enum acd_store result;

    *out = (struct acd_page){0};
    list_args(store, arena, command, &args);
    result = acd_store_call(store, arena, &args, &reply);
    if (result != ACD_STORE_OK)
        return result;
    read_page(arena, reply, out);
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

void acd_store_ask_page(struct acd_store_handle *store, struct acd_arena *arena,
                        const struct acd_command *command, int64_t behind)
{
    struct acd_args args;

    list_args(store, arena, command, &args);
    if (behind > 0)
        acd_args_int(&args, behind - 1);
    acd_redis_send(&store->redis, &args);
}

enum acd_store acd_store_take_page(struct acd_store_handle *store, struct acd_arena *arena,
                                   struct acd_page *out)
{
    redisReply *reply;
    enum acd_store result = acd_redis_read(&store->redis, &reply);

    *out = (struct acd_page){0};
    if (result != ACD_STORE_OK)
        return result;
    read_page(arena, reply, out);
    freeReplyObject(reply);
    return ACD_STORE_OK;
}

void acd_store_ask_accounts(struct acd_store_handle *store, struct acd_arena *arena, struct acd_slice app,
                            const struct acd_page *page)
{
    struct acd_args args;

    acd_args_init(&args, arena, 2);
    for (uint32_t i = 0; i < page->count; i++) {
        acd_args_clear(&args);
        acd_args_str(&args, "HGETALL");
        acd_args_add(&args, acd_store_account_key(store, arena, app, page->names[i]));
        acd_redis_send(&store->redis, &args);
    }
    acd_redis_flush(&store->redis);
}

enum acd_store acd_store_take_account(struct acd_store_handle *store, struct acd_arena *arena,
                                      const struct acd_account **out)
{
    redisReply *reply;
    enum acd_store result = acd_redis_read(&store->redis, &reply);

    if (result != ACD_STORE_OK)
        return result;
    *out = acd_store_read_account(arena, reply, 0);
    freeReplyObject(reply);
    return ACD_STORE_OK;
}
