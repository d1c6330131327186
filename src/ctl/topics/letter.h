/* letter.h: a record of the dead-letter topic, taken apart, and for people and scripts to read. */
#ifndef ACCOUNTD_CTL_TOPICS_LETTER_H
#define ACCOUNTD_CTL_TOPICS_LETTER_H

#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>

#include "accountd/arena.h"
#include "accountd/outgoing.h"

enum acd_ctl_letter_kind {
    ACD_CTL_LETTER,      /* a dead letter of accountd's */
    ACD_CTL_LETTER_NOTE, /* says that one was replayed */
    ACD_CTL_LETTER_OTHER /* somebody else's record */
};

/* Slices borrow from the message and the arena; those that a record lacks are absent (data NULL). */
struct acd_ctl_letter {
    enum acd_ctl_letter_kind kind;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct acd_slice key;
    struct acd_slice value;
    const struct acd_header *headers; /* all, in their order */
    uint32_t header_count;
    /* Where the original was, and what was wrong with it. */
    struct acd_slice topic;
    struct acd_slice origin_partition;
    struct acd_slice origin_offset;
    struct acd_slice group;
    struct acd_slice message;
    struct acd_slice code;
    /* What it has lost. */
    struct acd_slice cut_value;
    struct acd_slice cut_key;
    struct acd_slice cut_headers;
    int64_t replayed; /* of a note: the dead letter's offset */
};

/* A record's headers, in order, in the arena. */
uint32_t acd_ctl_headers(struct acd_arena *arena, const rd_kafka_message_t *message,
                         const struct acd_header **headers);

/* The last header of that name; absent where there is none. */
struct acd_slice acd_ctl_find_header(const struct acd_header *headers, uint32_t count, const char *name);

void acd_ctl_letter_read(struct acd_arena *arena, const rd_kafka_message_t *message,
                         struct acd_ctl_letter *out);

/* The kind and all that headers say; the rest of `letter` is filled in before. Pure. */
void acd_ctl_letter_sort(struct acd_ctl_letter *letter);

/* True when something of the original is missing. */
bool acd_ctl_letter_is_cut(const struct acd_ctl_letter *letter);

/* One line, and the titles above it. `replayed_ms`: when it was; -1: it was not. */
void acd_ctl_letter_titles(FILE *out);
void acd_ctl_letter_line(FILE *out, const struct acd_ctl_letter *letter, int64_t replayed_ms);

/* All of it, with the value as text or hex. */
void acd_ctl_letter_show(FILE *out, const struct acd_ctl_letter *letter, int64_t replayed_ms);

/* All of it. NULL without memory; the caller owns it. */
json_t *acd_ctl_letter_json(const struct acd_ctl_letter *letter, int64_t replayed_ms);

/* Headers as [{"name":…,"value":…}], as acd_ctl_put_bytes has them. */
json_t *acd_ctl_headers_json(const struct acd_header *headers, uint32_t count);

#endif
