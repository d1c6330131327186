/* accountctl's reading of an exported file: it takes the file's chunks, each once and in order, and calls the
 * file whole only when it is, byte for byte, what the manifest says.
 *
 * The input: a byte (0: the manifest is made to fit; 1: its JSON follows) and the number of chunks; for each
 * a byte of deviations, and its value. */
#include <stdio.h>

#include "accountd/text.h"
#include "ctl/export/chunks.h"
#include "fuzz.h"

#define CHUNKS_MAX 8

/* What a chunk may have wrong; the rest of its headers is right. */
#define OTHER_KEY     1u
#define OTHER_SOURCE  2u
#define OTHER_ATTEMPT 4u
#define WRONG_SHA256  8u
#define TWICE         16u  /* sent once more */
#define SKIPPED       32u  /* not sent at all */
#define OTHER_BYTES   128u /* as long, and with the checksum that fits them */
#define RAW_SEQ       64u  /* its seq is what follows in the input */

struct piece {
    unsigned deviates;
    struct acd_slice value;
};

static void sha256_of(struct acd_slice bytes, char out[65])
{
    unsigned char digest[32];

    FUZZ_CHECK(EVP_Digest(bytes.data, bytes.len, digest, NULL, EVP_sha256(), NULL), "no SHA-256");
    acd_hex_format(digest, sizeof(digest), out);
}

static struct acd_slice join(struct acd_arena *arena, const struct piece *pieces, uint32_t count)
{
    struct acd_buffer file;

    acd_buffer_init(&file, arena, 64);
    for (uint32_t i = 0; i < count; i++)
        acd_buffer_add_slice(&file, pieces[i].value);
    return acd_buffer_slice(&file);
}

static json_t *make_manifest(struct acd_arena *arena, const struct piece *pieces, uint32_t count)
{
    struct acd_slice file = join(arena, pieces, count);
    char sha256[65];

    sha256_of(file, sha256);
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:I}", "export_id", "e1", "source", "c:0:1", "sha256", sha256,
                     "attempt", 1, "chunks", (int)count, "bytes", (json_int_t)file.len);
}

/* The slice of a header that is right, or wrong where the deviation says so. */
static struct acd_slice header(const struct piece *piece, unsigned deviation, struct acd_slice right)
{
    return piece->deviates & deviation ? acd_slice(right.data, right.len ? right.len - 1 : 0) : right;
}

static enum acd_ctl_chunk_is add(struct acd_arena *arena, struct acd_ctl_chunks *chunks,
                                 const struct piece *piece, int64_t place, struct acd_slice *taken)
{
    struct acd_slice attempt = acd_arena_format(arena, "%lld", (long long)chunks->attempt);
    struct acd_slice seq = acd_arena_format(arena, "%lld", (long long)place);
    struct acd_slice value = fuzz_exact(arena, piece->value);
    int64_t seen = chunks->seen_count;
    enum acd_ctl_chunk_is is;
    bool is_taken;
    char sha256[65];

    if (value.len && piece->deviates & OTHER_BYTES)
        *(char *)(uintptr_t)value.data ^= 1;
    sha256_of(value, sha256);
    is = acd_ctl_chunks_add(chunks, &(struct acd_ctl_chunk){
                                        .key = header(piece, OTHER_KEY, chunks->export_id),
                                        .source = header(piece, OTHER_SOURCE, chunks->source),
                                        .attempt = header(piece, OTHER_ATTEMPT, attempt),
                                        .seq = piece->deviates & RAW_SEQ ? piece->value : seq,
                                        .sha256 = header(piece, WRONG_SHA256, acd_slice_str(sha256)),
                                        .value = value,
                                    });
    is_taken = is == ACD_CTL_CHUNK_NEXT || is == ACD_CTL_CHUNK_FIRST;
    FUZZ_CHECK(chunks->seen_count == seen + is_taken, "%lld chunks after %lld", (long long)chunks->seen_count,
               (long long)seen);
    FUZZ_CHECK(chunks->seen_count <= chunks->count, "more chunks than were announced");
    FUZZ_CHECK(!is_taken || !(piece->deviates & (OTHER_ATTEMPT | WRONG_SHA256)),
               "a chunk was taken although it is another's");
    FUZZ_CHECK(is != ACD_CTL_CHUNK_BAD || chunks->error[0], "no reason");
    if (is_taken) {
        struct piece both[2] = {{0, *taken}, {0, value}};

        *taken = join(arena, both, 2);
    }
    return is;
}

static void check_whole(struct acd_ctl_chunks *chunks, struct acd_slice taken)
{
    bool whole = acd_ctl_chunks_complete(chunks) && acd_ctl_chunks_finish(chunks) == 0;
    char sha256[65];
    bool fits;

    sha256_of(taken, sha256);
    fits = acd_slice_is(chunks->sha256, sha256) && chunks->bytes == (int64_t)taken.len &&
           chunks->seen_count == chunks->count;
    FUZZ_CHECK(whole == fits, "the file is %s whole", fits ? "not called" : "called");
}

static void read_file(struct acd_arena *arena, const json_t *manifest, const struct piece *pieces,
                      uint32_t count)
{
    struct acd_slice taken = acd_slice("", 0);
    struct acd_ctl_chunks chunks;
    bool good = true;

    if (acd_ctl_chunks_init(&chunks, manifest) == 0) {
        for (uint32_t i = 0; i < count && good; i++) {
            for (uint32_t times = pieces[i].deviates & SKIPPED ? 0
                                  : pieces[i].deviates & TWICE ? 2
                                                               : 1;
                 times > 0 && good; times--)
                good = add(arena, &chunks, &pieces[i], i + 1, &taken) != ACD_CTL_CHUNK_BAD;
        }
        if (good)
            check_whole(&chunks, taken);
    } else {
        FUZZ_CHECK(chunks.error[0], "no reason");
    }
    acd_ctl_chunks_free(&chunks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct piece pieces[CHUNKS_MAX];
    json_t *manifest = NULL;
    struct acd_arena arena;
    uint32_t count;
    bool made;

    acd_arena_init(&arena);
    made = !(fuzz_byte(&input) & 1);
    if (!made) {
        struct acd_slice text = fuzz_slice(&input, &arena);

        manifest = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
    }
    count = fuzz_below(&input, CHUNKS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        pieces[i].deviates = fuzz_byte(&input);
        pieces[i].value = fuzz_slice(&input, &arena);
    }
    if (made)
        manifest = make_manifest(&arena, pieces, count);
    read_file(&arena, manifest, pieces, count);
    json_decref(manifest);
    acd_arena_free(&arena);
    return 0;
}
