/* lines.h: the records of a file, one after another. */
#ifndef ACCOUNTD_CTL_IMPORT_LINES_H
#define ACCOUNTD_CTL_IMPORT_LINES_H

#include "csv.h"
#include "frame.h"
#include "source.h"

struct acd_ctl_lines {
    struct acd_ctl_source *source;
    struct acd_ctl_frame *frame;
    struct acd_ctl_csv csv; /* the header's columns, where the file is CSV */
    struct acd_arena arena; /* of the header */
    bool ended;
    const char *error; /* why no more can be read, or NULL */
};

/* Opens a file and reads its header. Returns 0, or -1 after saying on stderr why not. Close `out` in any
 * case. */
int acd_ctl_lines_open(struct acd_ctl_lines *out, const struct acd_ctl_source_wish *wish)
    __attribute__((warn_unused_result));

void acd_ctl_lines_close(struct acd_ctl_lines *lines);

/* Reads the next record into the frame. False at the end, or with `error`. */
bool acd_ctl_lines_next(struct acd_ctl_lines *lines);

/* The frame's record as an entry. */
void acd_ctl_lines_entry(const struct acd_ctl_lines *lines, struct acd_arena *arena, struct acd_slice app,
                         struct acd_ctl_entry *out);

#endif
