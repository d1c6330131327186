/* notes.h: which dead letters of a partition were replayed, and when.
 *
 * Each replay leaves a note behind in the same partition (contract, section 1), in the transaction that posts
 * the command. It lies behind its dead letter, so retention never takes it first.
 */
#ifndef ACCOUNTD_CTL_TOPICS_NOTES_H
#define ACCOUNTD_CTL_TOPICS_NOTES_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

#include "../reader.h"

struct acd_ctl_note {
    int64_t offset; /* of the dead letter */
    int64_t at_ms;
};

struct acd_ctl_notes {
    struct acd_ctl_note *items; /* by offset */
    size_t count;
    size_t capacity;
};

/* Reads the notes of a span. Free `out` in any case. */
rd_kafka_resp_err_t acd_ctl_notes_read(struct acd_ctl_notes *out, rd_kafka_t *consumer, const char *topic,
                                       int32_t partition, struct acd_ctl_span span, int patience_ms)
    __attribute__((warn_unused_result));

/* When the dead letter was replayed, in ms since 1970; -1: it was not. */
int64_t acd_ctl_notes_find(const struct acd_ctl_notes *notes, int64_t offset);

void acd_ctl_notes_free(struct acd_ctl_notes *notes);

#endif
