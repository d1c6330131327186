/* daemon.h: the daemon's life: start, serve until a signal, stop. */
#ifndef ACCOUNTD_DAEMON_H
#define ACCOUNTD_DAEMON_H

#include <stdbool.h>

#include "accountd/settings.h"

/* Exit codes, as in sysexits.h. */
#define ACD_EXIT_OK     0
#define ACD_EXIT_FAILED 1
#define ACD_EXIT_USAGE  64
#define ACD_EXIT_CONFIG 78

/* Blocks the signals that acd_daemon_run waits for; to be called before any thread is started. */
void acd_daemon_prepare(void);

/* Serves until SIGTERM or SIGINT, and returns the exit code. `embedded`: the brokers are librdkafka's mock
 * cluster, and stdout is told when commands are served. */
int acd_daemon_run(const struct acd_settings *settings, bool embedded);

#endif
