/* Servers: their start, and what they remember. */
#include <stdio.h>

#include "redis.h"

void redis_new_id(char id[41])
{
    for (int i = 0; i < 40; i++)
        id[i] = "0123456789abcdef"[sim_below(16)];
    id[40] = '\0';
}

struct redis_server *redis_start(const struct redis_db *memory)
{
    static uint32_t count;
    struct redis_server *server = acd_arena_calloc(&sim.memory, 1, sizeof(*server));

    snprintf(server->name, sizeof(server->name), "R%u", ++count);
    redis_new_id(server->run_id);
    redis_new_id(server->replication_id);
    server->up = true;
    server->master = true;
    if (memory)
        server->db = redis_picture(memory);
    server->pictured = server->db.writes;
    server->pictures[server->picture_count++] = redis_picture(&server->db);
    return server;
}

void redis_remember(struct redis_server *server)
{
    if (server->db.writes == server->pictured)
        return;
    server->pictured = server->db.writes;
    server->pictures[server->picture_count++ % REDIS_PICTURES] = redis_picture(&server->db);
}

const struct redis_db *redis_before(const struct redis_server *server, uint32_t calls)
{
    uint32_t kept = server->picture_count < REDIS_PICTURES ? server->picture_count : REDIS_PICTURES;

    if (calls >= kept)
        calls = kept - 1;
    return &server->pictures[(server->picture_count - 1 - calls) % REDIS_PICTURES];
}
