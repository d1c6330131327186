/* replay.h: dead letters, posted once more. */
#ifndef ACCOUNTD_CTL_TOPICS_REPLAY_H
#define ACCOUNTD_CTL_TOPICS_REPLAY_H

#include <stdint.h>

#include "../args.h"
#include "accountd/settings.h"

/* Replays what the arguments select, from `since_ms` on (as acd_ctl_spans takes it). */
enum acd_ctl_exit acd_ctl_replay(const struct acd_settings *settings, const struct acd_ctl_args *args,
                                 int64_t since_ms) __attribute__((warn_unused_result));

#endif
