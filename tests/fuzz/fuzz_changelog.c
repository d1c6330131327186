/* Changelog records: any value is refused with a reason, or is an account that is written and read again as
 * the same, and that a restore can bring to Redis. The input is the record's value. */
#include "../../src/store/dump.h"
#include "accountd/reply.h"
#include "accountd/text.h"
#include "fuzz.h"

/* JSON's bound, see fuzz_json.c: what is right takes less, even with the custom fields. */
#define BYTES_PER_BYTE 40
#define BYTES_FIXED    2048

struct record {
    struct acd_slice app;
    struct acd_slice name;
    struct acd_account account;
};

static const char *decode(struct acd_arena *arena, struct acd_slice value, struct record *out)
{
    return acd_changelog_decode(arena, value, &out->app, &out->name, &out->account);
}

static void check(struct acd_arena *arena, const struct acd_account *account)
{
    FUZZ_CHECK(account->revision > 0, "revision %lld", (long long)account->revision);
    FUZZ_CHECK(account->exists || (!account->custom_count && account->type == ACD_TYPE_UNSET),
               "a deleted account with a profile");
    FUZZ_CHECK(account->created_at_ms == acd_time_clamp(account->created_at_ms) &&
                   account->updated_at_ms == acd_time_clamp(account->updated_at_ms),
               "times that cannot be written");
    for (uint32_t i = 0; i < account->custom_count; i++)
        FUZZ_CHECK(account->custom[i].value.len > 0 &&
                       (i == 0 || acd_slice_compare(account->custom[i - 1].tag, account->custom[i].tag) < 0),
                   "custom fields that are empty or in no order");
}

/* The listpack's own size and count, which Redis looks at first. */
static void check_dump(struct acd_arena *arena, const struct acd_account *account)
{
    struct acd_slice dump = acd_dump(arena, account);
    const unsigned char *bytes = (const unsigned char *)dump.data;
    size_t head = bytes[1] & 0x80 ? 6 : 3;
    size_t size = 0;
    uint32_t elements = 8 + 2 * account->custom_count;

    for (int i = 3; i >= 0; i--)
        size = size << 8 | bytes[head + (size_t)i];
    for (int f = 0; f < ACD_FIELD_COUNT; f++)
        elements += account->fields[f].len ? 2 : 0;
    FUZZ_CHECK(dump.len == head + size + 10 && bytes[head + size - 1] == 0xff, "%zu bytes, said to be %zu",
               dump.len, size);
    FUZZ_CHECK(elements >= UINT16_MAX || (bytes[head + 4] | (uint32_t)bytes[head + 5] << 8) == elements,
               "not %u elements", elements);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acd_arena arena;
    struct record first;
    struct record second;
    const char *wrong;

    acd_arena_init(&arena);
    wrong = decode(&arena, acd_slice(data, size), &first);
    FUZZ_CHECK(arena.allocated <= BYTES_FIXED + BYTES_PER_BYTE * size, "%zu bytes took %zu", size,
               arena.allocated);
    /* Numbers may be written in other ways than accountd's, so the first writing makes them its own. */
    for (int i = 0; i < 2 && !wrong; i++) {
        struct acd_slice text = acd_changelog_encode(&arena, first.app, first.name, &first.account);

        check(&arena, &first.account);
        if (first.account.exists)
            check_dump(&arena, &first.account);
        wrong = decode(&arena, fuzz_exact(&arena, text), &second);
        FUZZ_CHECK(!wrong, "accountd's own record is refused: %s\n  %.*s", wrong, ACD_SLICE_ARGS(text));
        FUZZ_CHECK(acd_slice_equal(first.app, second.app) && acd_slice_equal(first.name, second.name) &&
                       first.account.exists == second.account.exists &&
                       first.account.revision == second.account.revision,
                   "another account: %.*s", ACD_SLICE_ARGS(text));
        FUZZ_CHECK(i == 0 || !first.account.exists || fuzz_same_account(&first.account, &second.account),
                   "another profile: %.*s", ACD_SLICE_ARGS(text));
        first = second;
    }
    acd_arena_free(&arena);
    return 0;
}
