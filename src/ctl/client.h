/* client.h: posts commands and waits for their replies.
 *
 * The client reads every partition of the reply topic, without a consumer group, from where it ended before
 * the first command was posted, and knows its replies by the correlation id. It sees only what transactions
 * have committed. It belongs to one thread.
 *
 * Errors: functions write what went wrong to stderr and return how accountctl is to end.
 */
#ifndef ACCOUNTD_CTL_CLIENT_H
#define ACCOUNTD_CTL_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "accountd/settings.h"
#include "accountd/slice.h"
#include "args.h"

struct acd_ctl_client;

/* Connects to settings->kafka.brokers and looks the topics up. `exports`: the export topic will be read too
 * (acd_ctl_client_chunk). Close `*out` in any case. */
enum acd_ctl_exit acd_ctl_client_open(struct acd_ctl_client **out, const struct acd_settings *settings,
                                      const struct acd_ctl_args *args, bool exports)
    __attribute__((warn_unused_result));

/* Makes sure that nothing is posted any more; to be called at the program's end, which frees the rest. NULL
 * is accepted. */
void acd_ctl_client_close(struct acd_ctl_client *client);

/* Posts a command (key absent: none) and waits for its reply, which the caller destroys. */
enum acd_ctl_exit acd_ctl_client_call(struct acd_ctl_client *client, struct acd_slice key,
                                      struct acd_slice command, rd_kafka_message_t **reply)
    __attribute__((warn_unused_result));

/* A command that was posted, which knows its reply. */
struct acd_ctl_posted {
    char correlation[16];
    int32_t partition;
    int64_t offset;
};

enum acd_ctl_exit acd_ctl_client_post(struct acd_ctl_client *client, struct acd_slice key,
                                      struct acd_slice command, struct acd_ctl_posted *out)
    __attribute__((warn_unused_result));

/* Its reply, or NULL when none has come within the time; the caller destroys it. */
rd_kafka_message_t *acd_ctl_client_reply(struct acd_ctl_client *client, const struct acd_ctl_posted *posted,
                                         int timeout_ms);

/* The next message of the export topic since before the first command, or NULL when none has come within the
 * time; the caller destroys it. */
rd_kafka_message_t *acd_ctl_client_chunk_now(struct acd_ctl_client *client, int timeout_ms);

/* The next message of the export topic since before the first command, which the caller destroys. Waits until
 * the deadline (acd_clock_ms). */
enum acd_ctl_exit acd_ctl_client_chunk(struct acd_ctl_client *client, int64_t deadline_ms,
                                       rd_kafka_message_t **chunk) __attribute__((warn_unused_result));

/* The last header of that name; absent (data NULL) where there is none. Borrows from the message. */
struct acd_slice acd_ctl_header(const rd_kafka_message_t *message, const char *name);

#endif
