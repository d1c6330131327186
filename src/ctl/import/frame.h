/* frame.h: where each record of a file begins and ends. Pure: it is fed bytes and knows no file.
 *
 * A record is kept up to ACD_CTL_RECORD_MAX bytes; of a longer one the rest is stepped over, however long it
 * is, and however deep it is nested.
 */
#ifndef ACCOUNTD_CTL_IMPORT_FRAME_H
#define ACCOUNTD_CTL_IMPORT_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/command.h"
#include "accountd/slice.h"

/* An account as JSON with every character escaped has less than a third of it. */
#define ACD_CTL_RECORD_MAX ((size_t)256 * 1024)

struct acd_ctl_frame {
    enum acd_format format;
    int64_t number; /* of the record: the line at which it begins; in json and msgpack it counts records */
    size_t len;     /* of the record so far */
    bool overlong;  /* it was longer than what is kept */
    bool cut;       /* it has no line end: the file ended before */
    const char *broken; /* why no record can be found any more, or NULL */

    int64_t line; /* of the next byte */
    int state;    /* what it means depends on the format */
    bool array;   /* json: records are items of an array */
    bool given;   /* the record is the caller's; the next byte begins another */
    bool begun;   /* bytes of a record were seen */
    bool string;  /* json: within a string */
    bool escaped; /* json: after a backslash */
    uint64_t depth;
    uint64_t owed;       /* msgpack: values that are still to come */
    uint64_t payload;    /* msgpack: bytes of a value that are still to come */
    unsigned head;       /* msgpack: bytes of a length that are still to come */
    uint64_t length;     /* msgpack: that length, as far as it is known */
    unsigned char first; /* msgpack: which value has that length */
    char record[ACD_CTL_RECORD_MAX];
};

void acd_ctl_frame_init(struct acd_ctl_frame *frame, enum acd_format format);

/* Consumes bytes up to the end of the next record, and says with `complete` whether that is there. The record
 * is the frame's until the next call. Returns how many bytes were consumed; with `broken` it makes no sense
 * to go on. */
size_t acd_ctl_frame_feed(struct acd_ctl_frame *frame, struct acd_slice bytes, bool *complete);

/* The file is at its end. Returns true when that ends one more record; `broken` says what is missing. */
bool acd_ctl_frame_end(struct acd_ctl_frame *frame);

static inline struct acd_slice acd_ctl_frame_record(const struct acd_ctl_frame *frame)
{
    return acd_slice(frame->record, frame->len);
}

#endif
