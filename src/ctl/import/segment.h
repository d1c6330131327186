/* segment.h: some lines of a file, and the commands that they become. Pure: no Kafka, no file.
 *
 * What a segment is made of depends on the file, the app and the number of partitions alone, so that an
 * import which goes on makes the same commands with the same ids.
 *
 * An account's lines all go to the partition that Kafka's clients choose for its name, in the order of the
 * file, and no command names an account twice: so they take effect in that order.
 */
#ifndef ACCOUNTD_CTL_IMPORT_SEGMENT_H
#define ACCOUNTD_CTL_IMPORT_SEGMENT_H

#include "../args.h"
#include "accountd/buffer.h"
#include "post.h"
#include "record.h"
#include "state.h"

/* A segment is a transaction, which costs the broker as much for one line as for thousands. */
#define ACD_CTL_SEGMENT_LINES 10000
#define ACD_CTL_SEGMENT_BYTES ((size_t)2 << 20)

/* What all commands of an import have in common. */
struct acd_ctl_import_terms {
    const char *app;
    const char *on_exists; /* "error" "update" "skip" */
    const char *run;       /* what ids begin with */
    bool dry_run;
    int32_t partitions;
    size_t command_bytes; /* of a command at most */
};

/* A line as it stands in the file. */
struct acd_ctl_text {
    int64_t number;
    size_t bytes;          /* that it has */
    struct acd_slice kept; /* what is wanted of it later */
    bool cut;              /* that is the beginning only */
};

/* A line, and what came of it. Slices are the segment's arena's. */
struct acd_ctl_line {
    int64_t number;
    struct acd_slice text;
    bool cut; /* the text is the beginning of the line */
    enum acd_ctl_outcome outcome;
    struct acd_slice account;
    struct acd_slice code; /* REJECTED: why */
    struct acd_slice field;
    struct acd_slice message;
};

struct acd_ctl_batch {
    char id[ACD_ID_MAX + 1];
    struct acd_slice key;
    int32_t partition;
    struct acd_buffer entries;
    uint32_t lines[ACD_CTL_ACCOUNTS_MAX];
    uint64_t hashes[ACD_CTL_ACCOUNTS_MAX]; /* of their accounts */
    uint32_t count;
    bool posted; /* by an earlier process */
    bool answered;
};

struct acd_ctl_segment {
    const struct acd_ctl_import_terms *terms;
    struct acd_arena arena;
    size_t bytes; /* of lines */
    uint32_t line_count;
    uint32_t batch_count;
    uint32_t unanswered;
    struct acd_ctl_line lines[ACD_CTL_SEGMENT_LINES];
    struct acd_ctl_batch *batches[ACD_CTL_SEGMENT_LINES];
    struct acd_ctl_batch **open; /* by partition, of those that may take more */
    struct acd_ctl_places commands;
    struct acd_ctl_places replies; /* where those of its commands are, or after */
};

/* NULL without memory. */
struct acd_ctl_segment *acd_ctl_segment_new(const struct acd_ctl_import_terms *terms);
void acd_ctl_segment_free(struct acd_ctl_segment *segment);

static inline bool acd_ctl_segment_full(const struct acd_ctl_segment *segment)
{
    return segment->line_count == ACD_CTL_SEGMENT_LINES || segment->bytes >= ACD_CTL_SEGMENT_BYTES;
}

/* Adds a line of the file, and what was read of it; both are copied. */
void acd_ctl_segment_add(struct acd_ctl_segment *segment, const struct acd_ctl_text *text,
                         const struct acd_ctl_entry *entry);

/* The commands that were not posted before. Returns how many. */
uint32_t acd_ctl_segment_commands(struct acd_ctl_segment *segment, struct acd_ctl_command_post *out);

/* The batch of that id, or NULL. */
struct acd_ctl_batch *acd_ctl_segment_find(struct acd_ctl_segment *segment, struct acd_slice id);

/* Takes a reply in: the lines of the batch have their outcomes afterwards. */
void acd_ctl_segment_answer(struct acd_ctl_segment *segment, struct acd_ctl_batch *batch,
                            struct acd_slice reply);

#endif
