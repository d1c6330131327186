/* Signed commands: of whatever headers a record has the last of each name counts, a claim that nothing is
 * wrong with says again what they say, and the parts of what is signed can be told apart.
 *
 * The input: the topic, a byte (bit 0: there is a key), the key, the value's length, the number of headers;
 * for each a byte (which name, and whether it has a value), and the value. */
#include "accountd/auth.h"
#include "accountd/text.h"
#include "fuzz.h"

#define HEADERS_MAX 8

static const char *const names[] = {ACD_HEADER_KEY_ID, ACD_HEADER_SIGNED_AT, ACD_HEADER_SIGNATURE,
                                    "accountd-Signature"};

static struct acd_slice last_of(const struct acd_header *headers, uint32_t count, const char *name)
{
    struct acd_slice value = {NULL, 0};

    for (uint32_t i = 0; i < count; i++)
        if (acd_slice_is(headers[i].name, name))
            value = headers[i].value;
    return value;
}

static void check_claim(struct acd_arena *arena, const struct acd_claim *claim,
                        const struct acd_header *headers, uint32_t count)
{
    struct acd_slice signature = last_of(headers, count, ACD_HEADER_SIGNATURE);
    struct acd_slice at = last_of(headers, count, ACD_HEADER_SIGNED_AT);
    bool made = false;
    int64_t ms;

    for (uint32_t i = 0; i < count; i++)
        made |= !acd_slice_is(headers[i].name, names[3]);
    FUZZ_CHECK(claim->made == made, "%s", made ? "a header went unseen" : "there is none");
    FUZZ_CHECK(!claim->field == !claim->wrong, "a field without a reason, or the other way round");
    FUZZ_CHECK(made || claim->field, "nothing is wrong with nothing");
    if (claim->field)
        return;
    FUZZ_CHECK(acd_slice_equal(claim->key_id, last_of(headers, count, ACD_HEADER_KEY_ID)) &&
                   claim->key_id.len > 0 && claim->key_id.len <= ACD_KEY_ID_MAX,
               "another key's id");
    FUZZ_CHECK(acd_slice_equal(acd_claim_signature(arena, claim), signature), "another signature than %.*s",
               ACD_SLICE_ARGS(signature));
    FUZZ_CHECK(acd_int_parse(at, &ms) && ms == claim->signed_at_ms && ms == acd_time_clamp(ms),
               "another time than %.*s", ACD_SLICE_ARGS(at));
    FUZZ_CHECK(!acd_claim_late(claim, ms, ms, 0), "late at the moment of signing");
}

static struct acd_slice take_part(struct acd_slice *text)
{
    struct acd_slice part = {NULL, 0};
    uint32_t len = 0;

    FUZZ_CHECK(text->len >= 4, "no length");
    for (int i = 0; i < 4; i++)
        len = len << 8 | (unsigned char)text->data[i];
    *text = acd_slice(text->data + 4, text->len - 4);
    if (len == UINT32_MAX)
        return part;
    FUZZ_CHECK(len <= text->len, "a part of %u bytes where %zu are left", len, text->len);
    part = acd_slice(text->data, len);
    *text = acd_slice(text->data + len, text->len - len);
    return part;
}

static void check_front(struct acd_arena *arena, const struct acd_claim *claim, struct acd_slice topic,
                        struct acd_slice key, uint8_t value_bytes)
{
    struct acd_slice value = acd_slice(names, value_bytes);
    struct acd_slice text = fuzz_exact(arena, acd_signed_front(arena, claim, topic, key, value));
    struct acd_slice back;

    FUZZ_CHECK(acd_slice_is(take_part(&text), "accountd1"), "another format");
    FUZZ_CHECK(acd_slice_equal(take_part(&text), claim->key_id), "another key's id is signed");
    FUZZ_CHECK(acd_slice_equal(take_part(&text), claim->signed_at), "another time is signed");
    FUZZ_CHECK(acd_slice_equal(take_part(&text), topic), "another topic is signed");
    back = take_part(&text);
    FUZZ_CHECK(acd_slice_equal(back, key) && !back.data == !key.data, "another key is signed");
    FUZZ_CHECK(text.len == 4 && (unsigned char)text.data[3] == value_bytes, "another value's length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct acd_header headers[HEADERS_MAX];
    struct acd_claim claim;
    struct acd_arena arena;
    struct acd_slice topic;
    struct acd_slice key = {NULL, 0};
    uint8_t value_bytes;
    uint32_t count;

    acd_arena_init(&arena);
    topic = fuzz_slice(&input, &arena);
    if (fuzz_byte(&input) & 1)
        key = fuzz_slice(&input, &arena);
    value_bytes = fuzz_below(&input, sizeof(names));
    count = fuzz_below(&input, HEADERS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t choice = fuzz_byte(&input);

        headers[i].name = acd_slice_str(names[choice & 3]);
        headers[i].value = choice & 4 ? acd_slice(NULL, 0) : fuzz_slice(&input, &arena);
    }
    acd_claim_read(headers, count, &claim);
    check_claim(&arena, &claim, headers, count);
    check_front(&arena, &claim, topic, key, value_bytes);
    acd_arena_free(&arena);
    return 0;
}
