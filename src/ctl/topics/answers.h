/* answers.h: what becomes of replayed dead letters: the places where they were posted, the replies to them,
 * and the lines that tell it.
 */
#ifndef ACCOUNTD_CTL_TOPICS_ANSWERS_H
#define ACCOUNTD_CTL_TOPICS_ANSWERS_H

#include <stddef.h>

#include "../link.h"
#include "../reader.h"
#include "accountd/arena.h"
#include "dlq.h"

/* What is said of a dead letter. */
enum acd_ctl_fate {
    ACD_CTL_FATE_REPLAYED,
    ACD_CTL_FATE_WOULD, /* a dry run */
    ACD_CTL_FATE_BEFORE,
    ACD_CTL_FATE_CUT,
    ACD_CTL_FATE_MISSING,
    ACD_CTL_FATE_COUNT
};

/* A dead letter that was posted. */
struct acd_ctl_sent {
    struct acd_ctl_position letter;
    struct acd_ctl_delivery at; /* where the command is */
    bool answered;
};

struct acd_ctl_answers {
    struct acd_ctl_link *link;
    struct acd_ctl_live *live; /* NULL: replies are not waited for */
    struct acd_arena arena;
    struct acd_ctl_sent *sent;
    size_t count;
    size_t capacity;
    size_t answered;
    size_t done; /* answered with ok */
    size_t fates[ACD_CTL_FATE_COUNT];
};

/* Begins to read the default reply topic, where replies are wanted. Free `out` in any case. */
enum acd_ctl_exit acd_ctl_answers_open(struct acd_ctl_answers *out, struct acd_ctl_link *link,
                                       rd_kafka_t *consumer) __attribute__((warn_unused_result));

void acd_ctl_answers_free(struct acd_ctl_answers *answers);

/* Notes where a dead letter was posted. Returns 0, or -1 without memory, which is said. */
int acd_ctl_answers_add(struct acd_ctl_answers *answers, struct acd_ctl_position letter,
                        struct acd_ctl_delivery at) __attribute__((warn_unused_result));

/* Reads the topic, too, that a command wants its reply to come to; to be called before it is posted. */
void acd_ctl_answers_expect(struct acd_ctl_answers *answers, struct acd_slice topic);

/* Says what became of a dead letter that was not posted. */
void acd_ctl_answers_tell(struct acd_ctl_answers *answers, struct acd_ctl_position letter,
                          enum acd_ctl_fate fate);

/* Waits for the replies to all that was sent, tells each, and sums up. Returns how accountctl is to end. */
enum acd_ctl_exit acd_ctl_answers_end(struct acd_ctl_answers *answers);

#endif
