/* survey.h: all that accountctl status knows at one moment, and how it is written. */
#ifndef ACCOUNTD_CTL_STATUS_SURVEY_H
#define ACCOUNTD_CTL_STATUS_SURVEY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cluster.h"
#include "peer.h"

/* Daemons that one screen can be about. */
#define ACD_CTL_PEERS_MAX 64

struct acd_ctl_survey {
    struct acd_ctl_cluster cluster;
    struct acd_ctl_peer peers[ACD_CTL_PEERS_MAX];
    size_t peer_count;
    int64_t at_ms; /* since 1970 */
};

/* Lines for people. `colour`: what is wrong is red. */
void acd_ctl_survey_print(FILE *out, const struct acd_ctl_survey *survey, bool colour);

/* One object, and a newline. Returns 0, or -1 without memory. */
int acd_ctl_survey_json(FILE *out, const struct acd_ctl_survey *survey) __attribute__((warn_unused_result));

/* UNREACHABLE: Kafka does not answer; FAILED: something is missing, away, halted or not ready; else OK. */
enum acd_ctl_exit acd_ctl_survey_verdict(const struct acd_ctl_survey *survey);

#endif
