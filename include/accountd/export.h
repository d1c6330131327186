/* export.h: the file of an export, cut into chunks.
 *
 * Named accounts are exported in one go, with the batch that decides the command: at most ACD_TARGETS_MAX
 * records, so the file fits in memory and in one transaction.
 */
#ifndef ACCOUNTD_EXPORT_H
#define ACCOUNTD_EXPORT_H

#include "accountd/apply.h"
#include "accountd/reply.h"

/* Bytes of a chunk at most (contract, section 5, and the topic's max.message.bytes of 1 MB by default). */
#define ACD_CHUNK_MAX ((size_t)900 * 1024)

struct acd_chunk {
    struct acd_slice value;
    char sha256[65];
};

struct acd_export {
    struct acd_manifest manifest;
    const struct acd_chunk *chunks; /* at least one: an empty file cannot come about */
    uint32_t chunk_count;
    const char *content_type;     /* of the file: "application/x-ndjson" "application/json" "text/csv"
                                     "application/msgpack" */
    const char *content_encoding; /* "gzip" "zstd", or NULL for none */
};

/* Builds the file of the records that the answer's outcomes hold, and its manifest (attempt 1). Call only
 * when at least one outcome is ok. Returns 0, or -1 when a compressor failed for want of memory. */
int acd_export_build(struct acd_arena *arena, const struct acd_command *command,
                     const struct acd_answer *answer, struct acd_slice id, const struct acd_origin *origin,
                     struct acd_export *out) __attribute__((warn_unused_result));

/* The file before compression: ndjson, json, csv or msgpack of these records (refused ones are left out). */
struct acd_slice acd_export_encode(struct acd_arena *arena, const struct acd_command *command,
                                   const struct acd_outcome *outcomes, uint32_t count);

#endif
