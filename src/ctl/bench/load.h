/* load.h: commands that are posted without waiting, and their replies, which are counted.
 *
 * A command carries its number and the moment that it was due at in its correlation id, so that a million of
 * them that are under way take a bit each. One thread.
 */
#ifndef ACCOUNTD_CTL_BENCH_LOAD_H
#define ACCOUNTD_CTL_BENCH_LOAD_H

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

#include "../link.h"
#include "../stream.h"
#include "latency.h"

/* Codes that are told apart; replies with more of them are counted as "other". */
#define ACD_CTL_LOAD_CODES_MAX 40

struct acd_ctl_load_code {
    char name[48]; /* ok, partial, or an error's */
    int64_t replies;
};

struct acd_ctl_load {
    struct acd_ctl_link link;
    rd_kafka_t *consumer;
    rd_kafka_t *producer;
    struct acd_ctl_stream *replies;
    char run[8]; /* of the correlation ids */

    int64_t posted;
    int64_t replied; /* each command once */
    int64_t duplicates;
    int64_t undelivered;            /* of those posted */
    struct acd_ctl_latency latency; /* from the moment that a command was due until its reply was here */
    struct acd_ctl_latency lately;  /* the same, since somebody last cleared it */
    struct acd_ctl_load_code codes[ACD_CTL_LOAD_CODES_MAX];
    int code_count;
    uint8_t *answered; /* a bit for each command */
    int64_t capacity;
};

/* Connects, for at most `capacity` commands. Free `out` in any case; it must not move. */
enum acd_ctl_exit acd_ctl_load_open(struct acd_ctl_load *out, const struct acd_settings *settings,
                                    const struct acd_ctl_args *args, int64_t capacity)
    __attribute__((warn_unused_result));

void acd_ctl_load_free(struct acd_ctl_load *load);

/* Forgets all that was counted; replies that still come are none of the load's any more. */
enum acd_ctl_exit acd_ctl_load_begin(struct acd_ctl_load *load) __attribute__((warn_unused_result));

/* Posts a command that was due at `due_us` (acd_clock_us), with the key of its first account. Takes `command`
 * over. */
enum acd_ctl_exit acd_ctl_load_post(struct acd_ctl_load *load, const char *key, json_t *command,
                                    int64_t due_us) __attribute__((warn_unused_result));

/* Counts replies for so long, or until there are none left that are waited for. */
void acd_ctl_load_take(struct acd_ctl_load *load, int64_t until_us);

#endif
