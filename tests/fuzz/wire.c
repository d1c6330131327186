/* hiredis' calls over a connection, without one: commands are checked and forgotten, replies come from what
 * was fed. The reader of replies is the real one. */
#include "wire.h"

#include <ctype.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "fuzz.h"

/* Of an array's count: hiredis reserves memory for what it is told. */
#define DIGITS_MAX 4

static struct {
    redisReader *reader;
    int64_t unread;
} wire;

void fuzz_wire_open(void)
{
    wire.reader = redisReaderCreate();
    FUZZ_CHECK(wire.reader, "no memory");
}

void fuzz_wire_close(void)
{
    redisReaderFree(wire.reader);
}

int64_t fuzz_wire_unread(void)
{
    return wire.unread;
}

static bool claims_too_much(struct acd_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        size_t digits = 1;

        while (bytes.data[i] == '*' && i + digits < bytes.len &&
               isdigit((unsigned char)bytes.data[i + digits]))
            digits++;
        if (digits > DIGITS_MAX + 1)
            return true;
    }
    return false;
}

bool fuzz_wire_feed(struct acd_slice bytes)
{
    return !claims_too_much(bytes) && redisReaderFeed(wire.reader, bytes.data, bytes.len) == REDIS_OK;
}

/* ---- hiredis */

redisContext *redisConnectWithTimeout(const char *ip, int port, const struct timeval tv)
{
    wire.unread = 0;
    return calloc(1, sizeof(redisContext));
}

void redisFree(redisContext *c)
{
    wire.unread = 0;
    free(c);
}

int redisSetTimeout(redisContext *c, const struct timeval tv)
{
    return REDIS_OK;
}

int redisEnableKeepAlive(redisContext *c)
{
    return REDIS_OK;
}

/* A command is an array of strings, and nothing follows it. */
int redisAppendFormattedCommand(redisContext *c, const char *cmd, size_t len)
{
    redisReader *reader = redisReaderCreate();
    void *command = NULL;
    void *next = NULL;

    FUZZ_CHECK(reader && redisReaderFeed(reader, cmd, len) == REDIS_OK, "no memory");
    FUZZ_CHECK(redisReaderGetReply(reader, &command) == REDIS_OK && command &&
                   ((redisReply *)command)->type == REDIS_REPLY_ARRAY,
               "no command: %.*s", (int)len, cmd);
    FUZZ_CHECK(redisReaderGetReply(reader, &next) == REDIS_OK && !next, "two commands: %.*s", (int)len, cmd);
    freeReplyObject(command);
    redisReaderFree(reader);
    wire.unread++;
    return REDIS_OK;
}

int redisBufferWrite(redisContext *c, int *done)
{
    *done = 1;
    return REDIS_OK;
}

/* When Redis has no more to say the connection breaks. */
int redisGetReply(redisContext *c, void **reply)
{
    FUZZ_CHECK(wire.unread > 0, "an answer is read that nobody asked for");
    wire.unread--;
    *reply = NULL;
    if (redisReaderGetReply(wire.reader, reply) != REDIS_OK || !*reply) {
        c->err = REDIS_ERR_EOF;
        strcpy(c->errstr, "Server closed the connection");
        return REDIS_ERR;
    }
    return REDIS_OK;
}
