/* Cursors of lists: what is read as one is what accountd wrote, byte for byte. The input is a cursor, and
 * also the creation time and the name of one. */
#include "accountd/command.h"
#include "accountd/text.h"
#include "fuzz.h"

static void read(struct acd_arena *arena, struct acd_slice text)
{
    struct acd_slice account;
    int64_t ms;

    if (!acd_cursor_read(text, arena, &ms, &account))
        return;
    FUZZ_CHECK(ms == acd_time_clamp(ms) && account.len > 0 && account.len <= ACD_NAME_MAX,
               "a row that cannot be: %lld %.*s", (long long)ms, ACD_SLICE_ARGS(account));
    FUZZ_CHECK(acd_slice_equal(acd_cursor_write(ms, account, arena), text), "another cursor than %.*s",
               ACD_SLICE_ARGS(text));
}

static void write(struct acd_arena *arena, struct fuzz_input input)
{
    int64_t ms = acd_time_clamp(fuzz_number(&input));
    struct acd_slice rest = fuzz_rest(&input, arena);
    char name[ACD_NAME_MAX] = "x";
    size_t len = rest.len < sizeof(name) - 1 ? rest.len : sizeof(name) - 1;
    struct acd_slice account;
    int64_t back;

    for (size_t i = 0; i < len; i++)
        name[i + 1] = "abcXYZ019._@-"[(unsigned char)rest.data[i] % 13];
    FUZZ_CHECK(acd_cursor_read(acd_cursor_write(ms, acd_slice(name, len + 1), arena), arena, &back, &account),
               "a cursor of accountd's is refused: %lld %.*s", (long long)ms, (int)len + 1, name);
    FUZZ_CHECK(back == ms && acd_slice_equal(account, acd_slice(name, len + 1)), "another row");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acd_arena arena;

    acd_arena_init(&arena);
    read(&arena, acd_slice(data, size));
    write(&arena, (struct fuzz_input){data, size});
    acd_arena_free(&arena);
    return 0;
}
