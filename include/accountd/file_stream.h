/* file_stream.h: the file of an export that does not fit in memory, made page by page and given away in
 * chunks.
 *
 * A stream belongs to one thread. What it holds at a time is one chunk, and the page that is being added.
 */
#ifndef ACCOUNTD_FILE_STREAM_H
#define ACCOUNTD_FILE_STREAM_H

#include "accountd/export.h"

struct acd_file_stream;

/* Takes a chunk; `seq` counts from 1, the bytes are the stream's. Returns 0, or -1 to end the stream. */
typedef int acd_chunk_sink(void *context, int64_t seq, const struct acd_chunk *chunk);

/* The command says app, format, compression and columns, and must outlive the stream. Returns NULL without
 * memory. */
struct acd_file_stream *acd_file_stream_open(const struct acd_command *command, size_t chunk_bytes,
                                             acd_chunk_sink *sink, void *context);

/* NULL is accepted. */
void acd_file_stream_close(struct acd_file_stream *stream);

/* Adds the records of a page; `arena` is used while that lasts. Returns 0, or -1 when the sink ended it or a
 * library had no memory. */
int acd_file_stream_add(struct acd_file_stream *stream, struct acd_arena *arena,
                        const struct acd_outcome *outcomes, uint32_t count)
    __attribute__((warn_unused_result));

/* Gives away what there is of a chunk, however little; nothing of what a compressor still holds. Returns 0,
 * or -1. */
int acd_file_stream_flush(struct acd_file_stream *stream) __attribute__((warn_unused_result));

/* Completes the file. Fills in what a manifest says of it: format, compression, chunks, bytes, checksum (in
 * the arena) and accounts. Returns 0, or -1. */
int acd_file_stream_end(struct acd_file_stream *stream, struct acd_arena *arena,
                        struct acd_manifest *manifest) __attribute__((warn_unused_result));

#endif
