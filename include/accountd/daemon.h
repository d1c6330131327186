/* daemon.h: the daemon's life: start, serve until a signal, stop. */
#ifndef ACCOUNTD_DAEMON_H
#define ACCOUNTD_DAEMON_H

#include <stdbool.h>
#include <stdio.h>

#include "accountd/settings.h"

/* Exit codes, as in sysexits.h. */
#define ACD_EXIT_OK          0
#define ACD_EXIT_FAILED      1
#define ACD_EXIT_USAGE       64
#define ACD_EXIT_UNAVAILABLE 69 /* a look at the servers: one does not answer */
#define ACD_EXIT_NOPERM      77 /* … a right is missing */
#define ACD_EXIT_CONFIG      78

/* Blocks the signals that acd_daemon_run waits for; to be called before any thread is started. */
void acd_daemon_prepare(void);

/* Serves until SIGTERM or SIGINT, and returns the exit code. SIGHUP: the settings are read again from `file`
 * (NULL: none) and the environment. `embedded`: the brokers are librdkafka's mock cluster, stdout is told
 * when commands are served, and SIGHUP ends it, too. */
int acd_daemon_run(const struct acd_settings *settings, const char *file, bool embedded);

/* Checks what no setting shows alone: that librdkafka's properties go together, and those of TLS, which this
 * build must know. A secret that cannot be read is wrong where `secrets` must
 * be there, and ends the check where they need not. Writes what is wrong to `errors`. Returns 0 or -1. */
int acd_daemon_check_settings(const struct acd_settings *settings, bool secrets, FILE *errors);

/* Checks that the keys of auth.keys can be read. Writes what is wrong to `errors`. Returns 0 or -1. */
int acd_daemon_check_keys(const struct acd_settings *settings, FILE *errors);

/* Looks at Kafka and Redis as the daemon would find them, writes what it finds to `out`, one line each, and
 * returns the exit code that the worst of it gives. Changes nothing. */
int acd_daemon_examine(const struct acd_settings *settings, FILE *out);

/* Makes the topics that are missing, looks at all of them, and tells it in the same way. */
int acd_daemon_create_topics(const struct acd_settings *settings, FILE *out);

#endif
