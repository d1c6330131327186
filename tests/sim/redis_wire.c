/* hiredis' calls. src/store/redis.c stands on them unchanged: what it sends is parsed and done by a server,
 * at once, later, or never, and the connection may break between any two calls. */
#include <stdio.h>
#include <stdlib.h>

#include "faults.h"
#include "process.h"
#include "redis.h"

#define CALL_US  60
#define ANSWERED 64

struct wire {
    redisContext context; /* first: hiredis' callers know nothing else */
    struct sim_life *life;
    struct redis_client client;
    struct redis_call *calls; /* sent, or to be sent with the next read */
    struct redis_call **calls_tail;
    bool out; /* they are sent */
    redisReply *answers[ANSWERED];
    uint32_t answered;
    uint32_t read;
    struct wire *next;
};

static struct wire *wires;
static uint32_t late;

/* ---- Connecting */

redisContext *redisConnectWithTimeout(const char *host, int port, const struct timeval timeout)
{
    struct wire *wire = acd_arena_calloc(&sim.memory, 1, sizeof(*wire));
    struct redis_server *server;

    sim_step(4 * CALL_US);
    server = process_redis();
    wire->life = sim_task_life(sim.task);
    wire->calls_tail = &wire->calls;
    wire->client.server = server;
    if (!server->up || faults_refuse_connection()) {
        wire->context.err = REDIS_ERR_IO;
        snprintf(wire->context.errstr, sizeof(wire->context.errstr), "Connection refused");
        sim_say("redis: %s cannot be reached", server->name);
        return &wire->context;
    }
    sim_say("redis: connected to %s", server->name);
    wire->next = wires;
    wires = wire;
    return &wire->context;
}

redisContext *redisConnectUnixWithTimeout(const char *path, const struct timeval timeout)
{
    return redisConnectWithTimeout(path, 0, timeout);
}

int redisSetTimeout(redisContext *context, const struct timeval timeout)
{
    return REDIS_OK;
}

int redisEnableKeepAlive(redisContext *context)
{
    return REDIS_OK;
}

/* ---- Calls that nobody waits for any more */

static void drop_answers(struct wire *wire)
{
    while (wire->read < wire->answered)
        freeReplyObject(wire->answers[wire->read++ % ANSWERED]);
}

static void forget(struct wire *wire)
{
    for (struct wire **at = &wires; *at; at = &(*at)->next)
        if (*at == wire) {
            *at = wire->next;
            return;
        }
}

static void do_late(void *context, int64_t number)
{
    struct wire *wire = context;
    struct redis_call *call = wire->calls;
    redisReply *reply;

    if (call && wire->client.server->up && !wire->client.closed) {
        wire->calls = call->next;
        reply = redis_serve(&wire->client, call);
        sim_say_of(wire->client.server->name, "late, of %s: %s -> %s", wire->life->name,
                   redis_describe_call(call, 200), redis_describe(reply, 100));
        freeReplyObject(reply);
    } else {
        wire->calls = NULL;
    }
    if (wire->calls)
        sim_later(NULL, sim_latency(CALL_US), do_late, wire, 0);
    else
        late--;
}

/* What was sent comes at some time, though the connection is gone for its sender. */
static void leave_late(struct wire *wire, int64_t delay_us)
{
    if (!wire->calls || !wire->out)
        return;
    late++;
    sim_later(NULL, delay_us, do_late, wire, 0);
}

void redisFree(redisContext *context)
{
    struct wire *wire = (struct wire *)context;

    drop_answers(wire);
    forget(wire);
}

uint32_t redis_wire_late(void)
{
    return late;
}

void redis_wire_forget(const struct sim_life *life)
{
    struct wire *next;

    for (struct wire *wire = wires; wire; wire = next) {
        next = wire->next;
        if (wire->life != life)
            continue;
        forget(wire);
        if (sim_below(2))
            leave_late(wire, faults_late_us());
    }
}

void redis_wire_break(const struct redis_server *server, const struct sim_life *life)
{
    for (struct wire *wire = wires; wire; wire = wire->next)
        if ((!server || wire->client.server == server) && (!life || wire->life == life))
            wire->client.closed = true;
}

/* ---- Sending */

static size_t take_number(const char **at)
{
    char *end;
    size_t number = strtoull(*at + 1, &end, 10);

    *at = end + 2;
    return number;
}

int redisAppendFormattedCommand(redisContext *context, const char *command, size_t len)
{
    struct wire *wire = (struct wire *)context;
    struct redis_call *call = acd_arena_calloc(&sim.memory, 1, sizeof(*call));
    const char *at = command;

    call->count = (uint32_t)take_number(&at);
    call->args = acd_arena_calloc(&sim.memory, call->count, sizeof(*call->args));
    for (uint32_t i = 0; i < call->count; i++) {
        size_t bytes = take_number(&at);

        call->args[i] = acd_arena_copy(&sim.memory, acd_slice(at, bytes));
        at += bytes + 2;
    }
    if (at != command + len)
        sim_fail("a command for Redis is not laid out as the protocol wants it");
    if (!wire->calls)
        wire->calls_tail = &wire->calls;
    *wire->calls_tail = call;
    wire->calls_tail = &call->next;
    return REDIS_OK;
}

static int broken(struct wire *wire, const char *why)
{
    wire->context.err = REDIS_ERR_IO;
    snprintf(wire->context.errstr, sizeof(wire->context.errstr), "%s", why);
    sim_say("redis: the connection to %s broke: %s", wire->client.server->name, why);
    forget(wire);
    return REDIS_ERR;
}

static bool is_gone(const struct wire *wire)
{
    return wire->context.err || wire->client.closed || !wire->client.server->up;
}

/* The server does the first call that waits. */
static void serve_first(struct wire *wire)
{
    struct redis_call *call = wire->calls;
    redisReply *reply = redis_serve(&wire->client, call);

    wire->calls = call->next;
    wire->answers[wire->answered++ % ANSWERED] = reply;
    sim_say("redis %s: %s -> %s", wire->client.server->name, redis_describe_call(call, 300),
            redis_describe(reply, 160));
}

int redisBufferWrite(redisContext *context, int *done)
{
    struct wire *wire = (struct wire *)context;
    uint32_t ahead = sim_below(4);

    wire->out = true;
    sim_step(CALL_US / 4);
    *done = 1;
    if (is_gone(wire))
        return broken(wire, "Connection reset by peer");
    for (; ahead > 0 && wire->calls && wire->answered - wire->read < ANSWERED; ahead--)
        serve_first(wire);
    return REDIS_OK;
}

/* ---- Reading */

/* The next call is done and answered, or the connection ends on the way. */
static int wait_for_answer(struct wire *wire)
{
    enum fault_of_call fault;

    if (!wire->calls) {
        sim_fail("an answer of Redis is waited for that no call will bring");
        return broken(wire, "Resource temporarily unavailable");
    }
    wire->out = true;
    sim_step(CALL_US);
    if (is_gone(wire))
        return broken(wire, "Server closed the connection");
    fault = faults_of_call();
    if (fault == CALL_IS_LATE) {
        leave_late(wire, faults_late_us());
        sim_sleep(sim_below(2) ? 3 * SECOND : 1);
        return broken(wire, "Resource temporarily unavailable");
    }
    if (fault == CALL_IS_LOST)
        return broken(wire, "Connection reset by peer");
    serve_first(wire);
    while (fault == ANSWER_IS_LOST && wire->calls && wire->answered - wire->read < ANSWERED && sim_below(2))
        serve_first(wire);
    sim_step(CALL_US);
    return fault == ANSWER_IS_LOST || is_gone(wire) ? broken(wire, "Server closed the connection") : REDIS_OK;
}

int redisGetReply(redisContext *context, void **reply)
{
    struct wire *wire = (struct wire *)context;

    if (is_gone(wire))
        return broken(wire, "Server closed the connection");
    if (wire->read == wire->answered && wait_for_answer(wire) != REDIS_OK)
        return REDIS_ERR;
    *reply = wire->answers[wire->read++ % ANSWERED];
    return REDIS_OK;
}
