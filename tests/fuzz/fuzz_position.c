/* Markers and tokens: what is read is written the same, and the assignment table goes on only where it may.
 *
 * The input: a byte (0 marker, 1 token, 2 both and an offset), then the text. */
#include "accountd/position.h"
#include "fuzz.h"

static bool same_marker(const struct acd_marker *a, const struct acd_marker *b)
{
    return a->from == b->from && a->next == b->next && a->last == b->last && a->step == b->step &&
           strcmp(a->nonce, b->nonce) == 0 && strcmp(a->before, b->before) == 0 &&
           strcmp(a->fingerprint, b->fingerprint) == 0 && acd_slice_equal(a->origin, b->origin);
}

static void marker(struct acd_arena *arena, struct acd_slice text)
{
    struct acd_marker read;
    struct acd_marker again;
    struct acd_slice written;

    /* An origin is made of names that hold no NUL, and is written as text. */
    if (!acd_marker_parse(text, &read) || memchr(read.origin.data, 0, read.origin.len))
        return;
    written = fuzz_exact(arena, acd_marker_format(arena, &read));
    FUZZ_CHECK(acd_marker_parse(written, &again) && same_marker(&read, &again), "%.*s became %.*s",
               ACD_SLICE_ARGS(text), ACD_SLICE_ARGS(written));
}

static void token(struct acd_arena *arena, struct acd_slice text)
{
    struct acd_token read;
    struct acd_token again;
    struct acd_slice written;

    if (!acd_token_parse(text, &read))
        return;
    written = fuzz_exact(arena, acd_token_format(arena, &read));
    FUZZ_CHECK(acd_token_parse(written, &again) && strcmp(read.nonce, again.nonce) == 0 &&
                   read.changelog_end == again.changelog_end,
               "%.*s became %.*s", ACD_SLICE_ARGS(text), ACD_SLICE_ARGS(written));
}

/* The marker's numbers are taken as they come, its nonces from a few, so that they often agree. */
static void standing(struct acd_arena *arena, struct fuzz_input *input)
{
    static const char *const nonces[] = {"-", "a", "b", "0123456789abcdef"};
    unsigned choices = fuzz_byte(input);
    struct acd_marker in_redis = {.from = (int8_t)fuzz_byte(input), .next = (int8_t)fuzz_byte(input)};
    struct acd_committed committed = {.exists = choices & 1, .offset = (int8_t)fuzz_byte(input)};
    struct acd_token answered = {.nonce = "-"};
    enum acd_standing found;

    strcpy(in_redis.nonce, nonces[choices >> 2 & 3]);
    strcpy(in_redis.before, nonces[choices >> 4 & 3]);
    committed.metadata = fuzz_rest(input, arena);
    found = acd_standing(&committed, choices & 2 ? &in_redis : NULL);
    if (committed.exists && !acd_token_parse(committed.metadata, &answered)) {
        FUZZ_CHECK(found == ACD_STANDING_FOREIGN, "went on from an offset that is not accountd's");
    } else if (!(choices & 2)) {
        FUZZ_CHECK(found == (committed.exists ? ACD_STANDING_LOST : ACD_STANDING_CLEAN), "no marker: %d",
                   found);
    } else if (found == ACD_STANDING_CLEAN) {
        FUZZ_CHECK(in_redis.next == committed.offset && strcmp(in_redis.nonce, answered.nonce) == 0,
                   "clean, but marker and token differ");
    } else if (found == ACD_STANDING_PENDING) {
        FUZZ_CHECK(strcmp(in_redis.before, answered.nonce) == 0 &&
                       (!committed.exists || in_redis.from == committed.offset),
                   "pending, but the marker is not one batch ahead");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct acd_arena arena;

    acd_arena_init(&arena);
    switch (fuzz_below(&input, 3)) {
    case 0:
        marker(&arena, fuzz_rest(&input, &arena));
        break;
    case 1:
        token(&arena, fuzz_rest(&input, &arena));
        break;
    default:
        standing(&arena, &input);
        break;
    }
    acd_arena_free(&arena);
    return 0;
}
