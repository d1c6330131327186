/* Files page by page: framing, compression, checksums, chunks. */
#define ZLIB_CONST

#include "accountd/file_stream.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <zlib.h>
#include <zstd.h>

#include "accountd/text.h"

#include "encode.h"

struct acd_file_stream {
    const struct acd_command *command;
    acd_chunk_sink *sink;
    void *context;
    char *chunk;
    size_t chunk_bytes;
    size_t used;
    int64_t chunks;
    int64_t bytes;
    int64_t accounts;
    EVP_MD_CTX *digest; /* of the whole file */
    z_stream gzip;
    bool gzip_open;
    ZSTD_CCtx *zstd;
};

static int open_compressor(struct acd_file_stream *stream)
{
    switch (stream->command->compression) {
    case ACD_GZIP:
        stream->gzip_open = deflateInit2(&stream->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, ACD_GZIP_WINDOW,
                                         ACD_GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
        return stream->gzip_open ? 0 : -1;
    case ACD_ZSTD:
        stream->zstd = ZSTD_createCCtx();
        if (!stream->zstd)
            return -1;
        ZSTD_CCtx_setParameter(stream->zstd, ZSTD_c_compressionLevel, ACD_ZSTD_LEVEL);
        ZSTD_CCtx_setParameter(stream->zstd, ZSTD_c_checksumFlag, 1);
        return 0;
    default:
        return 0;
    }
}

struct acd_file_stream *acd_file_stream_open(const struct acd_command *command, size_t chunk_bytes,
                                             acd_chunk_sink *sink, void *context)
{
    struct acd_file_stream *stream = calloc(1, sizeof(*stream));

    if (!stream)
        return NULL;
    stream->command = command;
    stream->sink = sink;
    stream->context = context;
    stream->chunk_bytes = chunk_bytes;
    stream->chunk = malloc(chunk_bytes);
    stream->digest = EVP_MD_CTX_new();
    if (stream->chunk && stream->digest && EVP_DigestInit_ex(stream->digest, EVP_sha256(), NULL) &&
        open_compressor(stream) == 0)
        return stream;
    acd_file_stream_close(stream);
    return NULL;
}

void acd_file_stream_close(struct acd_file_stream *stream)
{
    if (!stream)
        return;
    if (stream->gzip_open)
        deflateEnd(&stream->gzip);
    ZSTD_freeCCtx(stream->zstd);
    EVP_MD_CTX_free(stream->digest);
    free(stream->chunk);
    free(stream);
}

/* ---- Chunks */

static int give_chunk(struct acd_file_stream *stream)
{
    struct acd_chunk chunk = {.value = acd_slice(stream->chunk, stream->used)};

    if (stream->used == 0)
        return 0;
    if (acd_sha256(chunk.value, chunk.sha256) ||
        !EVP_DigestUpdate(stream->digest, stream->chunk, stream->used))
        return -1;
    stream->chunks++;
    stream->bytes += (int64_t)stream->used;
    stream->used = 0;
    return stream->sink(stream->context, stream->chunks, &chunk);
}

/* A chunk that is full goes when there is more to come. */
static int have_room(struct acd_file_stream *stream)
{
    return stream->used < stream->chunk_bytes ? 0 : give_chunk(stream);
}

static int add_plain(struct acd_file_stream *stream, struct acd_slice text)
{
    while (text.len) {
        size_t len;

        if (have_room(stream))
            return -1;
        len = stream->chunk_bytes - stream->used;
        len = text.len < len ? text.len : len;
        memcpy(stream->chunk + stream->used, text.data, len);
        stream->used += len;
        text = acd_slice(text.data + len, text.len - len);
    }
    return 0;
}

/* ---- Compression, into the chunk */

static int add_gzip(struct acd_file_stream *stream, struct acd_slice text, bool end)
{
    z_stream *gzip = &stream->gzip;
    int rc = Z_OK;

    gzip->next_in = (const Bytef *)text.data;
    gzip->avail_in = (uInt)text.len;
    while (end ? rc != Z_STREAM_END : gzip->avail_in > 0) {
        if (have_room(stream))
            return -1;
        gzip->next_out = (Bytef *)stream->chunk + stream->used;
        gzip->avail_out = (uInt)(stream->chunk_bytes - stream->used);
        rc = deflate(gzip, end ? Z_FINISH : Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return -1;
        stream->used = stream->chunk_bytes - gzip->avail_out;
    }
    return 0;
}

static int add_zstd(struct acd_file_stream *stream, struct acd_slice text, bool end)
{
    ZSTD_inBuffer in = {text.data, text.len, 0};
    size_t left = 1;

    while (end ? left > 0 : in.pos < in.size) {
        ZSTD_outBuffer out = {stream->chunk, stream->chunk_bytes, 0};

        if (have_room(stream))
            return -1;
        out.pos = stream->used;
        left = ZSTD_compressStream2(stream->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return -1;
        stream->used = out.pos;
    }
    return 0;
}

static int add(struct acd_file_stream *stream, struct acd_slice text, bool end)
{
    switch (stream->command->compression) {
    case ACD_GZIP:
        return add_gzip(stream, text, end);
    case ACD_ZSTD:
        return add_zstd(stream, text, end);
    default:
        return add_plain(stream, text);
    }
}

/* ---- Framing */

/* What stands before the first record. */
static struct acd_slice head(struct acd_file_stream *stream, struct acd_arena *arena)
{
    switch (stream->command->format) {
    case ACD_CSV:
        return acd_csv_header(arena, stream->command);
    case ACD_JSON:
        return acd_slice_str("[");
    default:
        return acd_slice_str("");
    }
}

int acd_file_stream_add(struct acd_file_stream *stream, struct acd_arena *arena,
                        const struct acd_outcome *outcomes, uint32_t count)
{
    uint32_t records = acd_export_count(outcomes, count);
    bool json = stream->command->format == ACD_JSON;
    bool first = stream->accounts == 0;
    struct acd_slice text;

    if (records == 0)
        return 0;
    text = stream->command->format == ACD_CSV ? acd_csv_rows(arena, stream->command, outcomes, count)
                                              : acd_export_encode(arena, stream->command, outcomes, count);
    /* The page is an array of its own: without its brackets it is a part of the whole one. */
    if (json)
        text = acd_slice(text.data + 1, text.len - 2);
    stream->accounts += records;
    if ((first && add(stream, head(stream, arena), false)) ||
        (json && !first && add(stream, acd_slice_str(","), false)))
        return -1;
    return add(stream, text, false);
}

int acd_file_stream_flush(struct acd_file_stream *stream)
{
    return give_chunk(stream);
}

int acd_file_stream_end(struct acd_file_stream *stream, struct acd_arena *arena,
                        struct acd_manifest *manifest)
{
    char *sha256 = acd_arena_alloc(arena, 2 * EVP_MAX_MD_SIZE + 1);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    struct acd_slice tail = stream->command->format == ACD_JSON ? acd_slice_str("]") : acd_slice_str("");

    if ((stream->accounts == 0 && add(stream, head(stream, arena), false)) || add(stream, tail, true) ||
        give_chunk(stream) || !EVP_DigestFinal_ex(stream->digest, digest, &digest_bytes))
        return -1;
    acd_hex_format(digest, digest_bytes, sha256);
    manifest->format = stream->command->format;
    manifest->compression = stream->command->compression;
    manifest->chunks = stream->chunks;
    manifest->bytes = stream->bytes;
    manifest->sha256 = acd_slice_str(sha256);
    manifest->accounts = stream->accounts;
    return 0;
}
