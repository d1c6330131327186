/* redis_tls.h: TLS for the connection to Redis, where hiredis has it (1.0 and later). Private to the store.
 *
 * Redis' certificate must be signed by an authority of redis.tls_ca_file and be for redis.tls_server_name, or
 * redis.host where that is empty. There is no way not to check it. The files are read for each connection.
 */
#ifndef ACCOUNTD_STORE_REDIS_TLS_H
#define ACCOUNTD_STORE_REDIS_TLS_H

#include <hiredis/hiredis.h>

#include "accountd/settings.h"
#include "accountd/store.h"

/* Shakes hands over a connection that is up and has its timeouts. What fails is in `error`: ACD_STORE_HALT
 * where settings or certificates do not fit, ACD_STORE_DOWN where the connection breaks; it is then to be
 * closed.
 */
enum acd_store acd_redis_tls_start(redisContext *context, const struct acd_settings *settings, char *error,
                                   size_t error_bytes) __attribute__((warn_unused_result));

#endif
