/* operator.h: somebody who sets offsets, as docs/reliability.md says that it is done: accountd is ended
 * everywhere, a partition's offset is set forward, accountctl rebuild --accept-offsets is run, and accountd
 * starts again. */
#ifndef ACCOUNTD_SIM_OPERATOR_H
#define ACCOUNTD_SIM_OPERATOR_H

#include "accountd/settings.h"
#include "history.h"

/* The commands that may be skipped; those that were get no reply and no effect. */
void operator_begin(const struct acd_settings *settings, struct sim_command *commands, uint32_t count);

/* Skips some commands that were not answered, where there are any. */
void operator_skip(void);

#endif
