/* encode.h: what the parts of an export share. */
#ifndef ACCOUNTD_EXPORT_ENCODE_H
#define ACCOUNTD_EXPORT_ENCODE_H

#include "accountd/export.h"

/* RFC 4180: a header row, then a row for each outcome that has a record. */
struct acd_slice acd_csv_encode(struct acd_arena *arena, const struct acd_command *command,
                                const struct acd_outcome *outcomes, uint32_t count);

/* The same in parts: the header row, and the others. */
struct acd_slice acd_csv_header(struct acd_arena *arena, const struct acd_command *command);
struct acd_slice acd_csv_rows(struct acd_arena *arena, const struct acd_command *command,
                              const struct acd_outcome *outcomes, uint32_t count);

#define ACD_GZIP_WINDOW                                                                                      \
    (15 + 16)             /* zlib: the largest window, with a gzip header (which then holds no time) */
#define ACD_GZIP_MEMORY 8 /* zlib's default */
#define ACD_ZSTD_LEVEL  3 /* zstd's default */

/* Compresses in one piece, the same bytes always to the same ones; ACD_PLAIN returns the file itself.
 * Returns 0, or -1 when the compressor has no memory. */
int acd_compress(struct acd_arena *arena, enum acd_compression method, struct acd_slice file,
                 struct acd_slice *out) __attribute__((warn_unused_result));

/* Lower-case hex. Returns 0, or -1 when the library has no memory. */
int acd_sha256(struct acd_slice bytes, char out[65]) __attribute__((warn_unused_result));

#endif
