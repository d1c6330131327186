/* Signed commands: headers, what is signed, and what keys are for. */
#include "accountd/auth.h"

#include "accountd/buffer.h"
#include "accountd/text.h"

/* The first part of what is signed: a signature made for anything else is none here. */
#define SIGNED_FORMAT "accountd1"

/* The length of what is not there. */
#define NULL_LENGTH UINT32_MAX

/* ---- Headers */

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool read_signature(struct acd_slice hex, unsigned char out[ACD_SIGNATURE_BYTES])
{
    if (hex.len != 2 * (size_t)ACD_SIGNATURE_BYTES)
        return false;
    for (size_t i = 0; i < ACD_SIGNATURE_BYTES; i++) {
        int high = nibble(hex.data[2 * i]);
        int low = nibble(hex.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

/* A time is kept to what the contract can write, which a double holds exactly. */
static bool read_time(struct acd_slice digits, int64_t *out)
{
    return digits.len > 0 && digits.data[0] != '-' && acd_int_parse(digits, out) && *out <= ACD_TIME_MAX_MS;
}

static void blame(struct acd_claim *claim, const char *field, const char *wrong)
{
    if (claim->field)
        return;
    claim->field = field;
    claim->wrong = wrong;
}

void acd_claim_read(const struct acd_header *headers, uint32_t count, struct acd_claim *out)
{
    struct acd_slice signature = {NULL, 0};

    *out = (struct acd_claim){.made = false};
    for (uint32_t i = 0; i < count; i++) {
        if (acd_slice_is(headers[i].name, ACD_HEADER_KEY_ID))
            out->key_id = headers[i].value;
        else if (acd_slice_is(headers[i].name, ACD_HEADER_SIGNED_AT))
            out->signed_at = headers[i].value;
        else if (acd_slice_is(headers[i].name, ACD_HEADER_SIGNATURE))
            signature = headers[i].value;
        else
            continue;
        out->made = true;
    }
    if (!signature.data)
        blame(out, ACD_HEADER_SIGNATURE, "is missing: commands must be signed");
    else if (!read_signature(signature, out->signature))
        blame(out, ACD_HEADER_SIGNATURE, "must be 64 hexadecimal digits in lower case");
    if (out->key_id.len == 0 || out->key_id.len > ACD_KEY_ID_MAX)
        blame(out, ACD_HEADER_KEY_ID, "must be the id of a key, 1 to 64 bytes");
    if (!read_time(out->signed_at, &out->signed_at_ms))
        blame(out, ACD_HEADER_SIGNED_AT, "must be the time of signing in milliseconds since 1970");
}

struct acd_slice acd_claim_signature(struct acd_arena *arena, const struct acd_claim *claim)
{
    char *hex = acd_arena_alloc(arena, 2 * (size_t)ACD_SIGNATURE_BYTES + 1);

    acd_hex_format(claim->signature, ACD_SIGNATURE_BYTES, hex);
    return acd_slice(hex, 2 * (size_t)ACD_SIGNATURE_BYTES);
}

/* ---- What is signed */

static void add_length(struct acd_buffer *buffer, struct acd_slice part)
{
    uint32_t length = part.data ? (uint32_t)part.len : NULL_LENGTH;

    for (int shift = 24; shift >= 0; shift -= 8)
        acd_buffer_add_char(buffer, (char)(unsigned char)(length >> shift));
}

static void add_part(struct acd_buffer *buffer, struct acd_slice part)
{
    add_length(buffer, part);
    acd_buffer_add_slice(buffer, part);
}

struct acd_slice acd_signed_front(struct acd_arena *arena, const struct acd_claim *claim,
                                  struct acd_slice topic, struct acd_slice key, struct acd_slice value)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, topic.len + key.len + ACD_KEY_ID_MAX + 64);
    add_part(&buffer, acd_slice_str(SIGNED_FORMAT));
    add_part(&buffer, claim->key_id);
    add_part(&buffer, claim->signed_at);
    add_part(&buffer, topic);
    add_part(&buffer, key);
    add_length(&buffer, value);
    return acd_buffer_slice(&buffer);
}

/* ---- When, and what for */

const char *acd_claim_late(const struct acd_claim *claim, int64_t written_ms, int64_t now_ms,
                           int64_t window_ms)
{
    int64_t signed_ms = claim->signed_at_ms;
    int64_t written = acd_time_clamp(written_ms);

    if (signed_ms > now_ms + window_ms)
        return "is in the future: compare the clocks";
    if (signed_ms < written - window_ms)
        return "is too long before the record was written: sign it anew";
    if (signed_ms > written + window_ms)
        return "is too long after the record's timestamp, which must be that of sending";
    return NULL;
}

const char *acd_grant_forbids(const struct acd_grant *grant, const struct acd_command *command)
{
    bool listed = grant->app_count == 0 || command->app.len == 0;

    if (grant->ops && command->op != ACD_OP_NONE && !(grant->ops & 1u << command->op))
        return "op";
    for (uint32_t i = 0; i < grant->app_count && !listed; i++)
        listed = acd_slice_equal(grant->apps[i], command->app);
    return listed ? NULL : "app";
}
