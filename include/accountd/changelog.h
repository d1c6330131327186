/* changelog.h: reads the changelog topic, all partitions from the beginning to the end.
 *
 * Only what committed transactions wrote is read. The end is fixed when the reader is opened, and is that of
 * the log itself: where a transaction is still open, or committed while its changelog partition does not
 * know it yet, reading waits for it.
 *
 * A reader belongs to one thread.
 */
#ifndef ACCOUNTD_CHANGELOG_H
#define ACCOUNTD_CHANGELOG_H

#include "accountd/consumer.h"

struct acd_changelog;

/* Asks for the partitions and their bounds. Returns NULL with the reason in `error`; to be tried again. */
struct acd_changelog *acd_changelog_open(const struct acd_settings *settings, char *error,
                                         size_t error_bytes);

/* NULL is accepted. All records must have been released. */
void acd_changelog_close(struct acd_changelog *changelog);

/* How many partitions the changelog has. */
int32_t acd_changelog_partitions(const struct acd_changelog *changelog);

/* First offset and end of a partition as they were when the reader was opened. */
void acd_changelog_bounds(const struct acd_changelog *changelog, int32_t partition, int64_t *first,
                          int64_t *end);

/* Waits at most timeout_ms for records, and fills in up to `max` of them, each to be released. Returns how
 * many; -1 when reading failed, with the reason in acd_changelog_error. */
int32_t acd_changelog_read(struct acd_changelog *changelog, int timeout_ms, struct acd_record *records,
                           uint32_t max) __attribute__((warn_unused_result));

/* True once every partition was read to its end. */
bool acd_changelog_done(const struct acd_changelog *changelog);

/* How many records lie before where the reader is, and how many there are, gaps counted. */
void acd_changelog_progress(const struct acd_changelog *changelog, int64_t *read, int64_t *total);

const char *acd_changelog_error(const struct acd_changelog *changelog);

#endif
