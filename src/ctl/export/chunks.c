/* Checksums and sequence. */
#include "chunks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "accountd/text.h"

#define SHA256_BYTES     32
#define SHA256_HEX_BYTES (2 * SHA256_BYTES + 1)

static int fail(struct acd_ctl_chunks *chunks, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct acd_ctl_chunks *chunks, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(chunks->error, sizeof(chunks->error), format, args);
    va_end(args);
    return -1;
}

static struct acd_slice text_of(const json_t *manifest, const char *name)
{
    const json_t *member = json_object_get(manifest, name);

    return acd_slice(json_string_value(member), json_string_length(member));
}

static int64_t integer_of(const json_t *manifest, const char *name)
{
    const json_t *member = json_object_get(manifest, name);

    return json_is_integer(member) ? json_integer_value(member) : -1;
}

/* Begins with the first chunk of an attempt. */
static int begin(struct acd_ctl_chunks *chunks, int64_t attempt)
{
    chunks->attempt = attempt;
    chunks->seen_count = 0;
    chunks->seen_bytes = 0;
    return chunks->digest && EVP_DigestInit_ex(chunks->digest, EVP_sha256(), NULL)
               ? 0
               : fail(chunks, "SHA-256 is not available");
}

int acd_ctl_chunks_follow(struct acd_ctl_chunks *out, struct acd_slice export_id, struct acd_slice source)
{
    *out = (struct acd_ctl_chunks){
        .export_id = export_id, .source = source, .count = -1, .digest = EVP_MD_CTX_new()};
    return begin(out, 0);
}

int acd_ctl_chunks_expect(struct acd_ctl_chunks *chunks, const json_t *manifest)
{
    int64_t attempt = integer_of(manifest, "attempt");

    chunks->export_id = text_of(manifest, "export_id");
    chunks->source = text_of(manifest, "source");
    chunks->sha256 = text_of(manifest, "sha256");
    chunks->count = integer_of(manifest, "chunks");
    chunks->bytes = integer_of(manifest, "bytes");
    if (!chunks->export_id.data || !chunks->source.data || chunks->sha256.len != SHA256_HEX_BYTES - 1 ||
        attempt < 1 || chunks->count < 0 || chunks->bytes < 0)
        return fail(chunks, "the reply does not say which file was exported");
    return chunks->attempt == attempt ? 0 : begin(chunks, attempt);
}

int acd_ctl_chunks_init(struct acd_ctl_chunks *out, const json_t *manifest)
{
    *out = (struct acd_ctl_chunks){.digest = EVP_MD_CTX_new()};
    return acd_ctl_chunks_expect(out, manifest);
}

void acd_ctl_chunks_free(struct acd_ctl_chunks *chunks)
{
    EVP_MD_CTX_free(chunks->digest);
}

static bool sha256_is(struct acd_slice value, struct acd_slice expected)
{
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    if (!EVP_Digest(value.data, value.len, digest, NULL, EVP_sha256(), NULL))
        return false;
    acd_hex_format(digest, sizeof(digest), hex);
    return acd_slice_is(expected, hex);
}

/* Which chunk of the attempt that is read this is; 0: none of it. While no manifest says which attempt
 * counts, the latest one does. */
static int64_t place_of(struct acd_ctl_chunks *chunks, const struct acd_ctl_chunk *chunk)
{
    int64_t attempt;
    int64_t seq;

    if (!acd_slice_equal(chunk->key, chunks->export_id) || !acd_slice_equal(chunk->source, chunks->source) ||
        !acd_int_parse(chunk->attempt, &attempt) || !acd_int_parse(chunk->seq, &seq))
        return 0;
    if (attempt != chunks->attempt && (chunks->count >= 0 || attempt < chunks->attempt || seq != 1))
        return 0;
    if (attempt != chunks->attempt && begin(chunks, attempt))
        return 0;
    return seq > chunks->seen_count ? seq : 0;
}

enum acd_ctl_chunk_is acd_ctl_chunks_add(struct acd_ctl_chunks *chunks, const struct acd_ctl_chunk *chunk)
{
    int64_t seq = place_of(chunks, chunk);
    int bad = 0;

    if (seq < 1)
        return ACD_CTL_CHUNK_OTHER;
    if (seq > chunks->seen_count + 1)
        bad = fail(chunks, "chunk %" PRId64 " of the file is missing: Kafka has deleted it already",
                   chunks->seen_count + 1);
    else if (chunks->count >= 0 && seq > chunks->count)
        bad =
            fail(chunks, "the file has more chunks than the %" PRId64 " that were announced", chunks->count);
    else if (!sha256_is(chunk->value, chunk->sha256))
        bad = fail(chunks, "chunk %" PRId64 " of the file is not what its checksum says", seq);
    else if (!EVP_DigestUpdate(chunks->digest, chunk->value.data, chunk->value.len))
        bad = fail(chunks, "SHA-256 failed");
    if (bad)
        return ACD_CTL_CHUNK_BAD;
    chunks->seen_count = seq;
    chunks->seen_bytes += (int64_t)chunk->value.len;
    return seq == 1 ? ACD_CTL_CHUNK_FIRST : ACD_CTL_CHUNK_NEXT;
}

int acd_ctl_chunks_finish(struct acd_ctl_chunks *chunks)
{
    unsigned char digest[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    if (chunks->seen_bytes != chunks->bytes)
        return fail(chunks, "the file has %" PRId64 " bytes, not the %" PRId64 " that were announced",
                    chunks->seen_bytes, chunks->bytes);
    if (!EVP_DigestFinal_ex(chunks->digest, digest, NULL))
        return fail(chunks, "SHA-256 failed");
    acd_hex_format(digest, sizeof(digest), hex);
    if (!acd_slice_is(chunks->sha256, hex))
        return fail(chunks, "the file is not what its checksum says");
    return 0;
}
