/* dead_letter.h: the headers of the dead-letter topic (contract, section 1).
 *
 * A dead letter is the original record, and these headers behind its own. They tell accountd's from the
 * original's: who reads a dead letter back leaves out what acd_dead_letter_adds names.
 */
#ifndef ACCOUNTD_DEAD_LETTER_H
#define ACCOUNTD_DEAD_LETTER_H

#include <stdbool.h>

#include "accountd/slice.h"

/* Kafka's own names (KIP-1191), and their values as text. */
#define ACD_LETTER_TOPIC     "__dlq.errors.topic"
#define ACD_LETTER_PARTITION "__dlq.errors.partition"
#define ACD_LETTER_OFFSET    "__dlq.errors.offset"
#define ACD_LETTER_GROUP     "__dlq.errors.group"
#define ACD_LETTER_MESSAGE   "__dlq.errors.message"

#define ACD_LETTER_CODE      "accountd-error-code"

/* Only where something did not fit: how long the value and the key were, and how many headers are missing. */
#define ACD_LETTER_CUT         "accountd-cut"
#define ACD_LETTER_CUT_KEY     "accountd-cut-key"
#define ACD_LETTER_CUT_HEADERS "accountd-cut-headers"

/* What the last one says where they were too many to be read. */
#define ACD_LETTER_CUT_ALL "all"

/* How many of them a dead letter has at most. */
#define ACD_LETTER_HEADERS 9

/* A record without a key, without a value and with no other header: the dead letter at this offset of the
 * same partition was posted again. */
#define ACD_LETTER_REPLAYED "accountd-replayed"

/* True for the names that accountd adds to a dead letter. Where the original has one, it is left out: it
 * tells of an earlier failure. */
bool acd_dead_letter_adds(struct acd_slice name);

#endif
