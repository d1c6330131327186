/* source.h: the bytes of a file to be imported: opened, unpacked, with its format found out.
 *
 * Memory is bounded whatever the file unpacks to. A source belongs to one thread.
 */
#ifndef ACCOUNTD_CTL_IMPORT_SOURCE_H
#define ACCOUNTD_CTL_IMPORT_SOURCE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "accountd/command.h"
#include "accountd/slice.h"

#define ACD_CTL_SOURCE_ERROR 256 /* bytes */

struct acd_ctl_source;

/* What the command line says, or NULL where the name and then the first bytes decide. */
struct acd_ctl_source_wish {
    const char *path; /* "-": stdin */
    const char *format;
    const char *compression;
    const volatile sig_atomic_t *interrupted; /* reading ends when it is set; NULL: it never is */
};

/* Opens a file. Returns NULL with the reason in `error`. */
struct acd_ctl_source *acd_ctl_source_open(const struct acd_ctl_source_wish *wish, char *error)
    __attribute__((warn_unused_result));

/* NULL is accepted. */
void acd_ctl_source_close(struct acd_ctl_source *source);

enum acd_format acd_ctl_source_format(const struct acd_ctl_source *source);

/* The bytes that are there, without those that were taken; reads more where there are none. They stay until
 * the next call. Empty at the end, and absent after an error. An interrupt is an error, too. */
struct acd_slice acd_ctl_source_look(struct acd_ctl_source *source);

/* Steps over bytes that were looked at. */
void acd_ctl_source_take(struct acd_ctl_source *source, size_t bytes);

/* Why the last look failed; NULL: it did not. */
const char *acd_ctl_source_error(const struct acd_ctl_source *source);

/* Bytes of the file as it is on disk: those that were read, and all (0: not known). */
int64_t acd_ctl_source_position(const struct acd_ctl_source *source);
int64_t acd_ctl_source_size(const struct acd_ctl_source *source);

/* True for a regular file, which can be read again. */
bool acd_ctl_source_is_file(const struct acd_ctl_source *source);

/* SHA-256 of a regular file as it is on disk; reading goes on where it was. Returns 0, or -1 with errno. */
int acd_ctl_source_digest(struct acd_ctl_source *source, unsigned char out[32])
    __attribute__((warn_unused_result));

/* The format that the first bytes show. Given for tests. */
enum acd_format acd_ctl_format_of_bytes(struct acd_slice bytes);

#endif
