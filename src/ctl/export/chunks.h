/* chunks.h: the chunks of an export, put together and checked (contract, section 5). Pure: no Kafka, no file.
 *
 * The manifest says which source and attempt to take, and what the joined values must be. Before it is there,
 * the chunks of the latest attempt can be followed.
 */
#ifndef ACCOUNTD_CTL_EXPORT_CHUNKS_H
#define ACCOUNTD_CTL_EXPORT_CHUNKS_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdint.h>

#include "accountd/slice.h"

#define ACD_CTL_CHUNKS_ERROR 256 /* bytes */

struct acd_ctl_chunks {
    struct acd_slice export_id; /* borrowed from the manifest, as all slices here */
    struct acd_slice source;
    struct acd_slice sha256;
    int64_t attempt; /* 0: none was seen yet */
    int64_t count;   /* -1: not known yet */
    int64_t bytes;
    int64_t seen_count;
    int64_t seen_bytes;
    EVP_MD_CTX *digest; /* owned */
    char error[ACD_CTL_CHUNKS_ERROR];
};

/* One message of the export topic; absent headers have data NULL. */
struct acd_ctl_chunk {
    struct acd_slice key;
    struct acd_slice source;
    struct acd_slice attempt;
    struct acd_slice seq;
    struct acd_slice sha256;
    struct acd_slice value;
};

enum acd_ctl_chunk_is {
    ACD_CTL_CHUNK_OTHER, /* of another export or attempt, a manifest, or one seen before: to be left out */
    ACD_CTL_CHUNK_NEXT,  /* the value is the next piece of the file */
    ACD_CTL_CHUNK_FIRST, /* … is its first piece; what came before was of an attempt that was given up */
    ACD_CTL_CHUNK_BAD,   /* `error` says why the file cannot be had */
};

/* Reads a reply's `export`, which must outlive `out`. Returns 0, or -1 with the reason in `out->error`. Free
 * `out` in any case. */
int acd_ctl_chunks_init(struct acd_ctl_chunks *out, const json_t *manifest)
    __attribute__((warn_unused_result));

/* Follows an export whose manifest is not there yet; both slices must outlive `out`. Free `out` in any case.
 */
int acd_ctl_chunks_follow(struct acd_ctl_chunks *out, struct acd_slice export_id, struct acd_slice source)
    __attribute__((warn_unused_result));

/* The manifest of an export that is followed has come; it must outlive `chunks`. Returns 0, or -1 with the
 * reason in `error`. */
int acd_ctl_chunks_expect(struct acd_ctl_chunks *chunks, const json_t *manifest)
    __attribute__((warn_unused_result));

void acd_ctl_chunks_free(struct acd_ctl_chunks *chunks);

enum acd_ctl_chunk_is acd_ctl_chunks_add(struct acd_ctl_chunks *chunks, const struct acd_ctl_chunk *chunk)
    __attribute__((warn_unused_result));

/* True when all chunks are there. */
static inline bool acd_ctl_chunks_complete(const struct acd_ctl_chunks *chunks)
{
    return chunks->seen_count == chunks->count;
}

/* Checks the whole of a complete file. Returns 0, or -1 with the reason in `error`. */
int acd_ctl_chunks_finish(struct acd_ctl_chunks *chunks) __attribute__((warn_unused_result));

#endif
