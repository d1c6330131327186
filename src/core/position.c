/* Markers, tokens, and the table that compares them. */
#include "accountd/position.h"

#include "accountd/text.h"

#define MARKER_FORMAT "2"
#define TOKEN_FORMAT  "accountd1"

struct acd_slice acd_marker_format(struct acd_arena *arena, const struct acd_marker *marker)
{
    return acd_arena_format(arena, MARKER_FORMAT " %lld %lld %lld %lld %s %s %s %.*s",
                            (long long)marker->from, (long long)marker->next, (long long)marker->last,
                            (long long)marker->step, marker->nonce, marker->before, marker->fingerprint,
                            ACD_SLICE_ARGS(marker->origin));
}

/* Takes the text up to the next blank off the front. */
static struct acd_slice next_word(struct acd_slice *text)
{
    const char *blank;
    struct acd_slice word;
    size_t len;

    if (text->len == 0)
        return *text;
    blank = memchr(text->data, ' ', text->len);
    len = blank ? (size_t)(blank - text->data) : text->len;
    word = acd_slice(text->data, len);
    text->data += len + (blank != NULL);
    text->len -= len + (blank != NULL);
    return word;
}

static bool parse_nonce(struct acd_slice word, char out[ACD_NONCE_BYTES])
{
    /* A NUL would end the nonce early, and make it equal to another one. */
    if (word.len == 0 || word.len >= ACD_NONCE_BYTES || memchr(word.data, 0, word.len))
        return false;
    memcpy(out, word.data, word.len);
    out[word.len] = '\0';
    return true;
}

bool acd_marker_parse(struct acd_slice text, struct acd_marker *out)
{
    if (!acd_slice_is(next_word(&text), MARKER_FORMAT))
        return false;
    if (!acd_int_parse(next_word(&text), &out->from) || !acd_int_parse(next_word(&text), &out->next) ||
        !acd_int_parse(next_word(&text), &out->last) || !acd_int_parse(next_word(&text), &out->step) ||
        out->step < 0 || out->step >= ACD_RUN_MAX)
        return false;
    if (!parse_nonce(next_word(&text), out->nonce) || !parse_nonce(next_word(&text), out->before) ||
        !parse_nonce(next_word(&text), out->fingerprint))
        return false;
    out->origin = text;
    return text.len > 0;
}

struct acd_slice acd_deployment_format(struct acd_arena *arena, struct acd_slice cluster,
                                       struct acd_slice group, struct acd_slice topic)
{
    return acd_arena_format(arena, "cluster=%.*s topic=%.*s group=%.*s", ACD_SLICE_ARGS(cluster),
                            ACD_SLICE_ARGS(topic), ACD_SLICE_ARGS(group));
}

struct acd_slice acd_origin_format(struct acd_arena *arena, struct acd_slice cluster, struct acd_slice group,
                                   struct acd_slice topic, int32_t partition)
{
    return acd_arena_format(arena, "cluster=%.*s topic=%.*s partition=%d group=%.*s", ACD_SLICE_ARGS(cluster),
                            ACD_SLICE_ARGS(topic), partition, ACD_SLICE_ARGS(group));
}

/* FNV-1a over one more part, whose length goes in first so that parts cannot be shifted. */
static uint64_t hash_part(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;

    hash = (hash ^ len) * UINT64_C(1099511628211);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

void acd_fingerprint(struct acd_slice key, struct acd_slice value, int64_t timestamp_ms,
                     char out[ACD_NONCE_BYTES])
{
    uint64_t hash = UINT64_C(14695981039346656037);

    hash = hash_part(hash, &timestamp_ms, sizeof(timestamp_ms));
    hash = hash_part(hash, key.data, key.len);
    hash = hash_part(hash, value.data, value.len);
    acd_hex_format(&hash, sizeof(hash), out);
}

struct acd_slice acd_token_format(struct acd_arena *arena, const struct acd_token *token)
{
    if (token->floor_ms == 0)
        return acd_arena_format(arena, TOKEN_FORMAT " %s %lld", token->nonce,
                                (long long)token->changelog_end);
    return acd_arena_format(arena, TOKEN_FORMAT " %s %lld %lld", token->nonce,
                            (long long)token->changelog_end, (long long)token->floor_ms);
}

bool acd_token_parse(struct acd_slice text, struct acd_token *out)
{
    out->floor_ms = 0;
    return acd_slice_is(next_word(&text), TOKEN_FORMAT) && parse_nonce(next_word(&text), out->nonce) &&
           acd_int_parse(next_word(&text), &out->changelog_end) &&
           (text.len == 0 || acd_int_parse(text, &out->floor_ms));
}

enum acd_standing acd_standing(const struct acd_committed *committed, const struct acd_marker *marker)
{
    struct acd_token token;

    if (!committed->exists) {
        if (!marker)
            return ACD_STANDING_CLEAN;
        /* Only the very first batch can be there without an offset having been committed. */
        return strcmp(marker->before, ACD_NO_NONCE) == 0 ? ACD_STANDING_PENDING : ACD_STANDING_LOST;
    }
    if (!acd_token_parse(committed->metadata, &token))
        return ACD_STANDING_FOREIGN;
    if (!marker)
        return ACD_STANDING_LOST;
    if (marker->next == committed->offset && strcmp(marker->nonce, token.nonce) == 0)
        return ACD_STANDING_CLEAN;
    if (marker->next > committed->offset && strcmp(marker->before, token.nonce) == 0 &&
        marker->from == committed->offset)
        return ACD_STANDING_PENDING;
    return ACD_STANDING_LOST;
}
