/* decode.h: the two decoders behind acd_codec_decode, with its contract; `bytes` are never empty. */
#ifndef ACCOUNTD_CODEC_DECODE_H
#define ACCOUNTD_CODEC_DECODE_H

#include "accountd/codec.h"

/* What both decoders answer to the same mistake. */
#define ACD_TOO_DEEP "the message is nested deeper than 16 levels"

const char *acd_json_decode(struct acd_slice bytes, struct acd_arena *arena, struct acd_value *out);
const char *acd_msgpack_decode(struct acd_slice bytes, struct acd_arena *arena, struct acd_value *out);

/* A key that a map has twice, or the absent slice; in O(n log n), whatever the keys are. */
struct acd_slice acd_key_twice(const struct acd_member *members, uint32_t count, struct acd_arena *arena);

#endif
