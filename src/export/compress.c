/* gzip, zstd and checksums.
 *
 * Room for the result is taken from the arena before a library is set up: the arena may jump away when there
 * is no memory, and the library's own would be lost then.
 */
#define ZLIB_CONST /* the input stays as it is */

#include <openssl/evp.h>
#include <zlib.h>
#include <zstd.h>

#include "accountd/text.h"

#include "encode.h"

#define GZIP_OVERHEAD 18 /* of that header and the trailer; deflateBound without a stream leaves them out */

static int compress_gzip(struct acd_arena *arena, struct acd_slice file, struct acd_slice *out)
{
    z_stream stream = {0};
    size_t capacity = deflateBound(NULL, file.len) + GZIP_OVERHEAD;
    char *bytes = acd_arena_alloc(arena, capacity);
    int rc;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, ACD_GZIP_WINDOW, ACD_GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return -1;
    stream.next_in = (const Bytef *)file.data;
    stream.avail_in = (uInt)file.len;
    stream.next_out = (Bytef *)bytes;
    stream.avail_out = (uInt)capacity;
    rc = deflate(&stream, Z_FINISH);
    *out = acd_slice(bytes, stream.total_out);
    deflateEnd(&stream);
    return rc == Z_STREAM_END ? 0 : -1;
}

static int compress_zstd(struct acd_arena *arena, struct acd_slice file, struct acd_slice *out)
{
    size_t capacity = ZSTD_compressBound(file.len);
    char *bytes = acd_arena_alloc(arena, capacity);
    ZSTD_CCtx *context = ZSTD_createCCtx();
    size_t len;

    if (!context)
        return -1;
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ACD_ZSTD_LEVEL);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    len = ZSTD_compress2(context, bytes, capacity, file.data, file.len);
    ZSTD_freeCCtx(context);
    if (ZSTD_isError(len))
        return -1;
    *out = acd_slice(bytes, len);
    return 0;
}

int acd_compress(struct acd_arena *arena, enum acd_compression method, struct acd_slice file,
                 struct acd_slice *out)
{
    switch (method) {
    case ACD_GZIP:
        return compress_gzip(arena, file, out);
    case ACD_ZSTD:
        return compress_zstd(arena, file, out);
    default:
        *out = file;
        return 0;
    }
}

int acd_sha256(struct acd_slice bytes, char out[65])
{
    unsigned char digest[32];

    if (!EVP_Digest(bytes.data, bytes.len, digest, NULL, EVP_sha256(), NULL))
        return -1;
    acd_hex_format(digest, sizeof(digest), out);
    return 0;
}
