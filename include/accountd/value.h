/* value.h: a decoded message, the same for JSON and MessagePack.
 *
 * Decoders build the tree in the batch's arena; strings are slices of the message or of the arena. Members
 * keep the message's order. A decoder has refused before what no command may hold: keys that are no
 * strings, come twice or hold a NUL; NaN and infinities; numbers beyond int64; invalid UTF-8; more than
 * ACD_DEPTH_MAX containers one in the other.
 */
#ifndef ACCOUNTD_VALUE_H
#define ACCOUNTD_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "accountd/slice.h"

/* The contract's limit; the message's own map is the first level. */
#define ACD_DEPTH_MAX 16

enum acd_kind {
    ACD_NULL,
    ACD_BOOL,
    ACD_INT,
    ACD_DOUBLE,
    ACD_STRING, /* UTF-8 */
    ACD_BYTES,  /* MessagePack bin and ext: never a string */
    ACD_ARRAY,
    ACD_MAP,
};

struct acd_member;

struct acd_value {
    enum acd_kind kind;
    uint32_t count; /* of items or members */
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct acd_slice string;
        const struct acd_value *items;
        const struct acd_member *members;
    };
};

struct acd_member {
    struct acd_slice key;
    struct acd_value value;
};

/* The member of that name, or NULL. */
const struct acd_value *acd_value_member(const struct acd_value *map, const char *key);

/* True for an integer and for a float without a fraction that int64 holds (3.0 is 3); not for a boolean. */
bool acd_value_integer(const struct acd_value *value, int64_t *out);

#endif
