/* The cursor of a list: base64url of "CREATED_AT:NAME", so that clients take it for what it is, opaque. */
#include "accountd/command.h"
#include "accountd/text.h"
#include "names.h"

/* A cursor is no longer than this: the largest time, a colon, the longest name, and a third more. */
#define CURSOR_MAX 64

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static struct acd_slice base64_encode(struct acd_slice bytes, struct acd_arena *arena)
{
    char *text = acd_arena_alloc(arena, bytes.len * 4 / 3 + 2);
    size_t len = 0;
    unsigned bits = 0;
    unsigned held = 0; /* bits that are not written yet */

    for (size_t i = 0; i < bytes.len; i++) {
        bits = bits << 8 | (unsigned char)bytes.data[i];
        for (held += 8; held >= 6; held -= 6)
            text[len++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held)
        text[len++] = alphabet[bits << (6 - held) & 63];
    return acd_slice(text, len);
}

/* False for what is not of the alphabet. Bits left over are not looked at: the caller encodes again. */
static bool base64_decode(struct acd_slice text, struct acd_arena *arena, struct acd_slice *out)
{
    char *bytes = acd_arena_alloc(arena, text.len);
    size_t len = 0;
    unsigned bits = 0;
    unsigned held = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(alphabet, text.data[i], sizeof(alphabet) - 1);

        if (!digit)
            return false;
        bits = bits << 6 | (unsigned)(digit - alphabet);
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[len++] = (char)(bits >> held & 255);
        }
    }
    *out = acd_slice(bytes, len);
    return true;
}

struct acd_slice acd_cursor_write(int64_t created_at_ms, struct acd_slice account, struct acd_arena *arena)
{
    struct acd_slice plain =
        acd_arena_format(arena, "%lld:%.*s", (long long)created_at_ms, ACD_SLICE_ARGS(account));

    return base64_encode(plain, arena);
}

bool acd_cursor_read(struct acd_slice text, struct acd_arena *arena, int64_t *created_at_ms,
                     struct acd_slice *account)
{
    struct acd_slice plain;
    const char *colon;
    size_t time_len;
    int64_t ms;

    if (text.len == 0 || text.len > CURSOR_MAX || !base64_decode(text, arena, &plain))
        return false;
    colon = memchr(plain.data, ':', plain.len);
    if (!colon)
        return false;
    time_len = (size_t)(colon - plain.data);
    *account = acd_slice(colon + 1, plain.len - time_len - 1);
    if (!acd_int_parse(acd_slice(plain.data, time_len), &ms) || ms != acd_time_clamp(ms) ||
        !acd_name_is_account(*account))
        return false;
    *created_at_ms = ms;
    /* One row has one cursor: leading zeros or stray bits make none. */
    return acd_slice_equal(acd_cursor_write(ms, *account, arena), text);
}
