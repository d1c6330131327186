/* export.h: the file of an export, cut into chunks.
 *
 * Named accounts are exported in one go, with the batch that decides the command: at most ACD_TARGETS_MAX
 * records, so the file fits in memory and in one transaction.
 */
#ifndef ACCOUNTD_EXPORT_H
#define ACCOUNTD_EXPORT_H

#include "accountd/apply.h"
#include "accountd/outgoing.h"
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
};

/* Builds the file of the records that the answer's outcomes hold, cut into chunks of at most `chunk_bytes`,
 * and its manifest (attempt 1). Call only
 * when at least one outcome is ok. Returns 0, or -1 when a compressor failed for want of memory. */
int acd_export_build(struct acd_arena *arena, const struct acd_command *command,
                     const struct acd_answer *answer, struct acd_slice id, const struct acd_origin *origin,
                     size_t chunk_bytes, struct acd_export *out) __attribute__((warn_unused_result));

/* Headers of a chunk at most. */
#define ACD_CHUNK_HEADERS 7

/* Fills in a chunk's headers; `seq` counts from 1. Returns how many. */
uint32_t acd_chunk_headers(struct acd_arena *arena, const struct acd_manifest *manifest, int64_t seq,
                           const struct acd_chunk *chunk, struct acd_header *headers);

/* … and those of the manifest. */
uint32_t acd_manifest_headers(const struct acd_manifest *manifest, struct acd_header *headers);

/* How many of the outcomes have a record. */
uint32_t acd_export_count(const struct acd_outcome *outcomes, uint32_t count);

/* Of the file: "application/x-ndjson" "application/json" "text/csv" "application/msgpack". */
const char *acd_export_content_type(enum acd_format format);

/* The file before compression: ndjson, json, csv or msgpack of these records (refused ones are left out). */
struct acd_slice acd_export_encode(struct acd_arena *arena, const struct acd_command *command,
                                   const struct acd_outcome *outcomes, uint32_t count);

#endif
