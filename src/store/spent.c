/* Signed commands that took effect: what Redis remembers of them, so that none does it again. */
#include "accountd/text.h"
#include "handle.h"

static void send(struct acd_store_handle *store, struct acd_arena *arena, const char *command,
                 const char *key, const struct acd_spent *spent, uint32_t count)
{
    struct acd_args args;

    acd_args_init(&args, arena, count + 2);
    acd_args_str(&args, command);
    acd_args_add(&args, acd_store_key(store, arena, "%s", key));
    for (uint32_t i = 0; i < count; i++)
        acd_args_add(&args, spent[i].id);
    acd_redis_send(&store->redis, &args);
}

enum acd_store acd_store_spent(struct acd_store_handle *store, struct acd_arena *arena,
                               struct acd_spent *spent, uint32_t count, int64_t *floor_ms)
{
    redisReply *floor = NULL;
    redisReply *scores = NULL;
    enum acd_store first;
    enum acd_store second;

    *floor_ms = 0;
    send(store, arena, "GET", "accountd:spent:floor", NULL, 0);
    send(store, arena, "ZMSCORE", "accountd:spent", spent, count);
    first = acd_redis_read(&store->redis, &floor);
    second = acd_redis_read(&store->redis, &scores);
    if (first == ACD_STORE_OK) {
        if (!acd_int_parse(acd_reply_slice(floor), floor_ms))
            *floor_ms = 0;
        freeReplyObject(floor);
    }
    if (second == ACD_STORE_OK) {
        for (uint32_t i = 0; i < count && i < scores->elements; i++)
            spent[i].before = scores->element[i]->type != REDIS_REPLY_NIL;
        freeReplyObject(scores);
    }
    return first != ACD_STORE_OK ? first : second;
}

void acd_spending_add(struct acd_args *args, const struct acd_spending *spending)
{
    uint32_t hole;
    uint32_t parts = 0;

    if (spending->count == 0)
        return;
    acd_args_int(args, spending->partitions);
    acd_args_int(args, spending->window_ms);
    acd_args_int(args, spending->ids_max);
    hole = acd_args_hole(args);
    for (uint32_t i = 0; i < spending->count; parts++) {
        int32_t partition = spending->spent[i]->partition;
        int64_t newest = 0;

        for (; i < spending->count && spending->spent[i]->partition == partition; i++)
            if (spending->spent[i]->signed_at_ms > newest)
                newest = spending->spent[i]->signed_at_ms;
        acd_args_int(args, partition);
        acd_args_int(args, newest);
    }
    acd_args_fill(args, hole, parts);
    acd_args_int(args, spending->count);
    for (uint32_t i = 0; i < spending->count; i++) {
        acd_args_add(args, spending->spent[i]->id);
        acd_args_int(args, spending->spent[i]->signed_at_ms);
    }
}
