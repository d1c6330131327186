/* quiet.h: whether a run has come to its end, and what is there then. */
#ifndef ACCOUNTD_SIM_QUIET_H
#define ACCOUNTD_SIM_QUIET_H

#include "accountd/settings.h"
#include "history.h"

/* What still has to happen, or NULL: every command is answered, no transaction is open, Redis' markers are
 * what was committed, its incarnation the announced one, and nothing is left in an outbox. */
const char *quiet_waits_for(const struct acd_settings *settings);

/* Fills in what Kafka and Redis hold. */
void quiet_take(const struct acd_settings *settings, struct sim_history *history);

#endif
