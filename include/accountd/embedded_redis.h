/* embedded_redis.h: a redis-server of our own, for `accountd --embedded`.
 *
 * A child process on a free port of 127.0.0.1 that keeps everything in memory. It ends with this process,
 * however that ends, and leaves no file behind.
 */
#ifndef ACCOUNTD_EMBEDDED_REDIS_H
#define ACCOUNTD_EMBEDDED_REDIS_H

#include <stddef.h>

struct acd_embedded_redis;

/* Starts redis-server (or valkey-server) and waits until it answers. Call it on the main thread: the child
 * ends with the thread that started it. Returns NULL with the reason in `error`. */
struct acd_embedded_redis *acd_embedded_redis_start(char *error, size_t error_bytes);

/* Its port on 127.0.0.1. */
int acd_embedded_redis_port(const struct acd_embedded_redis *redis);

/* Ends the server and waits for its end; NULL is accepted. */
void acd_embedded_redis_stop(struct acd_embedded_redis *redis);

#endif
