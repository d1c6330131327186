/* redis.h: Redis servers in memory: what accountd uses of them, as documented.
 *
 *   redis_data.c      keys and values, and pictures of them
 *   redis_commands.c  commands on them
 *   redis_restore.c   one of them that reads a hash's serialized value
 *   redis_lua.c       functions, in Lua itself
 *   redis_client.c    what a server knows of a connection: MULTI, WATCH, refusals
 *   redis_server.c    servers that start, end and take one another's place
 *   redis_wire.c      hiredis' calls: connections that break, calls that come late
 */
#ifndef ACCOUNTD_SIM_REDIS_H
#define ACCOUNTD_SIM_REDIS_H

#include <hiredis/hiredis.h>

#include "sim.h"

/* ---- Data. A value is never changed, a change makes a new one: so a picture of all is a copy of the list of
 * keys. */

enum redis_type { REDIS_STRING, REDIS_HASH, REDIS_SET, REDIS_ZSET };

struct redis_item {
    struct acd_slice name;
    struct acd_slice value; /* absent for members of sets; a string's only value is here */
    double score;
};

struct redis_value {
    enum redis_type type;
    struct redis_item *items; /* of a sorted set: in its order */
    uint32_t count;
};

struct redis_key {
    struct acd_slice name;
    uint64_t number;                 /* grows from key to key: a sweep's cursor */
    uint64_t touched;                /* the write that changed it last */
    const struct redis_value *value; /* NULL: not there */
};

struct redis_db {
    struct redis_key *keys;
    uint32_t count;
    uint32_t capacity;
    uint64_t numbers;
    uint64_t writes;
    bool functions; /* the library is loaded */
};

const struct redis_key *redis_find(const struct redis_db *db, struct acd_slice name);
const struct redis_value *redis_value(const struct redis_db *db, struct acd_slice name); /* or NULL */

/* A new version of the value, to be changed by the caller, with room for `more` items. */
struct redis_value *redis_change(struct redis_db *db, struct acd_slice name, enum redis_type type,
                                 uint32_t more);
bool redis_delete(struct redis_db *db, struct acd_slice name);
void redis_flush(struct redis_db *db);
struct redis_db redis_picture(const struct redis_db *db);

int64_t redis_item(const struct redis_value *value, struct acd_slice name); /* its index, or -1 */
void redis_put(struct redis_value *value, struct acd_slice name, struct acd_slice item);
void redis_take_out(struct redis_db *db, struct acd_slice key, struct redis_value *value, uint32_t at);

/* ---- Servers */

/* At its limit a server refuses one call and does the next: memory is freed behind its back, and calls differ
 * in what they need. */
enum redis_refusal { REDIS_SERVES, REDIS_FULL, REDIS_AT_LIMIT, REDIS_CANNOT_SAVE };

/* What a server remembers to go back to. */
#define REDIS_PICTURES 48

struct redis_server {
    char name[16];
    char run_id[41];
    char replication_id[41];
    bool up;
    bool master;
    int64_t loading_until_us;
    enum redis_refusal refusal;
    struct redis_db db;
    struct redis_db pictures[REDIS_PICTURES]; /* after each call that wrote something: a ring */
    uint32_t picture_count;
    uint64_t pictured; /* db.writes of the newest */
};

struct redis_server *redis_start(const struct redis_db *memory);
void redis_remember(struct redis_server *server);
/* The memory as it was before the last `calls` that wrote something. */
const struct redis_db *redis_before(const struct redis_server *server, uint32_t calls);
void redis_new_id(char id[41]);

/* ---- Connections, as a server sees them */

struct redis_call {
    struct acd_slice *args;
    uint32_t count;
    struct redis_call *next;
};

struct redis_watch {
    struct acd_slice key;
    uint64_t touched;
};

struct redis_client {
    struct redis_server *server;
    bool closed; /* by the server */
    bool multi;
    bool spoilt; /* a command of the transaction was refused */
    struct redis_call *queued;
    struct redis_call **queued_tail;
    uint32_t queued_count;
    struct redis_watch watches[4];
    uint32_t watch_count;
};

/* Does what a call asks, at once and undivided. The answer is the caller's to free. */
redisReply *redis_serve(struct redis_client *client, const struct redis_call *call);

/* ---- Commands */

enum redis_flag { REDIS_WRITES = 1, REDIS_GROWS = 2, REDIS_WHILE_LOADING = 4 };

/* The flags of a command; the run fails when it is not known here. */
unsigned int redis_flags(const struct redis_call *call);

/* True for a call of a simulated command with fewer arguments than it takes. */
bool redis_is_short(const struct redis_call *call);
redisReply *redis_execute(struct redis_server *server, const struct redis_call *call);

/* RESTORE of a hash. */
redisReply *redis_restore(struct redis_server *server, const struct acd_slice *args, uint32_t count);

/* Loads a library's text, or calls one of its functions. */
redisReply *redis_lua_load(struct redis_server *server, struct acd_slice text);
redisReply *redis_lua_call(struct redis_server *server, const struct redis_call *call);

/* ---- Answers */

redisReply *redis_integer(long long number);
redisReply *redis_text(struct acd_slice text); /* an absent one: nil */
redisReply *redis_status(const char *text);
redisReply *redis_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
redisReply *redis_array(uint32_t count); /* elements are the caller's to fill in */
const char *redis_describe(const redisReply *reply, size_t max);
const char *redis_describe_call(const struct redis_call *call, size_t max);

/* ---- The wire */

/* A life ends: what it has sent may still come. */
void redis_wire_forget(const struct sim_life *life);
/* How many calls are still on their way though nobody waits for them. */
uint32_t redis_wire_late(void);
/* All connections to a server, or a life's, break. Either may be NULL for all. */
void redis_wire_break(const struct redis_server *server, const struct sim_life *life);

#endif
