/* sender.h: messages without a transaction: the chunks of a file that no reader takes before a manifest names
 * it.
 *
 * In order and none twice, as long as no call fails. What is on its way is bounded in bytes, so that a slow
 * broker slows the sender and does not fill the memory. A sender belongs to one thread.
 */
#ifndef ACCOUNTD_SENDER_H
#define ACCOUNTD_SENDER_H

#include <stdatomic.h>

#include "accountd/outgoing.h"
#include "accountd/settings.h"

struct acd_sender;

/* `cancelled` ends every wait. Returns NULL with the reason in `error`. */
struct acd_sender *acd_sender_open(const struct acd_settings *settings, const atomic_bool *cancelled,
                                   char *error, size_t error_bytes);

/* Gives up what is on its way. NULL is accepted. */
void acd_sender_close(struct acd_sender *sender);

/* Sends a copy; may wait for room. Returns 0, or -1 when this or an earlier message was not taken. */
int acd_sender_send(struct acd_sender *sender, const struct acd_outgoing *message)
    __attribute__((warn_unused_result));

/* Waits until all of them are there. Returns 0, or -1. */
int acd_sender_flush(struct acd_sender *sender) __attribute__((warn_unused_result));

/* What went wrong first. */
const char *acd_sender_error(const struct acd_sender *sender);

#endif
