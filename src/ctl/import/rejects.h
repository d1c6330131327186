/* rejects.h: the file of rejected lines, in a form that can be mended and imported again.
 *
 * A file of CSV gets one of CSV, with columns more; all others get ndjson, with a member more.
 */
#ifndef ACCOUNTD_CTL_IMPORT_REJECTS_H
#define ACCOUNTD_CTL_IMPORT_REJECTS_H

#include <stdio.h>

#include "csv.h"
#include "segment.h"

struct acd_ctl_rejects {
    FILE *file; /* NULL: none is wanted */
    enum acd_format format;
    const struct acd_ctl_csv *csv; /* of the file that is imported */
    int64_t bytes;
};

/* Opens the file, of which the first bytes are kept and the rest is forgotten. Returns 0, or -1 with errno.
 */
int acd_ctl_rejects_open(struct acd_ctl_rejects *out, const char *path, int64_t bytes)
    __attribute__((warn_unused_result));

/* The row or line of a rejected line, in the arena; absent without memory. `first`: a file of
 * CSV has a header before it. */
struct acd_slice acd_ctl_rejects_text(const struct acd_ctl_rejects *rejects, struct acd_arena *arena,
                                      const struct acd_ctl_line *line, bool first);

/* Writes it. */
int acd_ctl_rejects_add(struct acd_ctl_rejects *rejects, struct acd_arena *arena,
                        const struct acd_ctl_line *line) __attribute__((warn_unused_result));

/* Makes sure that what was added stays. */
int acd_ctl_rejects_sync(struct acd_ctl_rejects *rejects) __attribute__((warn_unused_result));

/* Removes the file when nothing is in it. */
int acd_ctl_rejects_close(struct acd_ctl_rejects *rejects, const char *path)
    __attribute__((warn_unused_result));

#endif
