/* json.h: what the parts of the JSON decoder share.
 *
 * Functions that return bool return false after they have put the reason into `wrong`, with the byte, counted
 * from 0, where it is so.
 */
#ifndef ACCOUNTD_CODEC_JSON_H
#define ACCOUNTD_CODEC_JSON_H

#include <endian.h>

#include "decode.h"

#define ACD_JSON_ONES  UINT64_C(0x0101010101010101)
#define ACD_JSON_HIGHS UINT64_C(0x8080808080808080)

struct acd_json {
    const unsigned char *begin;
    const unsigned char *at;
    const unsigned char *end;
    struct acd_arena *arena;
    /* One block holds all children of all containers: those of open ones grow from its start; those of closed
     * ones, which stay, from its end. */
    char *open;
    char *closed;
    char *text; /* for strings with escapes */
    char *text_end;
    const char *wrong;
};

struct acd_json_size {
    size_t tree; /* bytes of all children of all containers */
    size_t text; /* bytes of the strings that have escapes */
};

/* Finds out how large the tree is, and that it has not too many levels. The bytes begin with a map. Returns
 * NULL, or the reason. */
const char *acd_json_measure(const struct acd_json *json, struct acd_json_size *size);

bool acd_json_wrong(struct acd_json *json, const unsigned char *at, const char *what);

/* What stands at json->at, or the end, is not what must come here. */
bool acd_json_expected(struct acd_json *json, const char *what);

/* Reads the string whose opening quote is at json->at. It borrows from the message, or, where it has escapes,
 * from json->text. */
bool acd_json_string(struct acd_json *json, struct acd_slice *out);

/* Reads the number whose minus or first digit is at json->at. */
bool acd_json_number(struct acd_json *json, struct acd_value *out);

static inline bool acd_json_blank(unsigned char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static inline uint64_t acd_json_zeros(uint64_t word)
{
    return (word - ACD_JSON_ONES) & ~word;
}

/* The first byte that is a quote, a backslash or a control character, or has a bit of `watch`; else the end.
 * Eight bytes at a time: the lowest bit that is set is that of the first such byte, those above it may err.
 */
static inline const unsigned char *acd_json_special(const unsigned char *at, const unsigned char *end,
                                                    uint64_t watch)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        uint64_t found;

        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        found = acd_json_zeros(word ^ ACD_JSON_ONES * '"') | acd_json_zeros(word ^ ACD_JSON_ONES * '\\') |
                ((word - ACD_JSON_ONES * ' ') & ~word) | (word & watch);
        found &= ACD_JSON_HIGHS;
        if (found)
            return at + __builtin_ctzll(found) / 8;
    }
    while (at < end && *at != '"' && *at != '\\' && *at >= ' ' && !(*at & watch))
        at++;
    return at;
}

#endif
