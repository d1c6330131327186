/* What a server does with a call that reached it: refuses it, queues it in a transaction, or does it. */
#include "redis.h"

/* Why a server does not do this now, or NULL. */
static const char *refusal(const struct redis_server *server, const struct redis_call *call)
{
    unsigned int flags = redis_flags(call);
    bool function = acd_slice_is(call->args[0], "FCALL");

    if (sim.now_us < server->loading_until_us && !(flags & REDIS_WHILE_LOADING))
        return "LOADING Redis is loading the dataset in memory";
    if (!server->master && flags & REDIS_WRITES)
        return function ? "READONLY Can not run script with write flag on readonly replica."
                        : "READONLY You can't write against a read only replica.";
    if (server->refusal == REDIS_CANNOT_SAVE && flags & REDIS_WRITES)
        return "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to "
               "disk.";
    if (flags & REDIS_GROWS &&
        (server->refusal == REDIS_FULL || (server->refusal == REDIS_AT_LIMIT && sim_below(2))))
        return function ? "OOM allow-oom flag is not set on the function, can not run it when used memory > "
                          "'maxmemory'"
                        : "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
}

static uint64_t touched(const struct redis_client *client, struct acd_slice key)
{
    const struct redis_key *found = redis_find(&client->server->db, key);

    return found ? found->touched : 0;
}

static redisReply *watch(struct redis_client *client, const struct redis_call *call)
{
    if (client->watch_count == sizeof(client->watches) / sizeof(client->watches[0]))
        return redis_error("ERR too many watched keys for a simulation");
    client->watches[client->watch_count++] =
        (struct redis_watch){acd_arena_copy(&sim.memory, call->args[1]), touched(client, call->args[1])};
    return redis_status("OK");
}

static bool watched_changed(const struct redis_client *client)
{
    for (uint32_t i = 0; i < client->watch_count; i++)
        if (touched(client, client->watches[i].key) != client->watches[i].touched)
            return true;
    return false;
}

static redisReply *multi(struct redis_client *client)
{
    client->multi = true;
    client->spoilt = false;
    client->queued = NULL;
    client->queued_tail = &client->queued;
    client->queued_count = 0;
    return redis_status("OK");
}

static redisReply *queue(struct redis_client *client, const struct redis_call *call)
{
    struct redis_call *queued = acd_arena_alloc(&sim.memory, sizeof(*queued));

    *queued = *call;
    queued->next = NULL;
    *client->queued_tail = queued;
    client->queued_tail = &queued->next;
    client->queued_count++;
    return redis_status("QUEUED");
}

static redisReply *exec(struct redis_client *client)
{
    bool changed = watched_changed(client);
    uint32_t at = 0;
    redisReply *reply;

    client->multi = false;
    client->watch_count = 0;
    if (client->spoilt)
        return redis_error("EXECABORT Transaction discarded because of previous errors.");
    if (changed)
        return redis_text(acd_slice(NULL, 0));
    reply = redis_array(client->queued_count);
    for (const struct redis_call *call = client->queued; call; call = call->next)
        reply->element[at++] = redis_execute(client->server, call);
    return reply;
}

static redisReply *serve(struct redis_client *client, const struct redis_call *call)
{
    const char *refused = refusal(client->server, call);

    if (refused) {
        client->spoilt = true;
        return redis_error("%s", refused);
    }
    if (acd_slice_is(call->args[0], "EXEC"))
        return client->multi ? exec(client) : redis_error("ERR EXEC without MULTI");
    if (client->multi)
        return queue(client, call);
    if (acd_slice_is(call->args[0], "MULTI"))
        return multi(client);
    if (acd_slice_is(call->args[0], "WATCH"))
        return watch(client, call);
    if (acd_slice_is(call->args[0], "UNWATCH")) {
        client->watch_count = 0;
        return redis_status("OK");
    }
    return redis_execute(client->server, call);
}

redisReply *redis_serve(struct redis_client *client, const struct redis_call *call)
{
    redisReply *reply = serve(client, call);

    redis_remember(client->server);
    return reply;
}
