/* bytes.h: what producers wrote, as JSON and for people. Any bytes may come. */
#ifndef ACCOUNTD_CTL_BYTES_H
#define ACCOUNTD_CTL_BYTES_H

#include <jansson.h>
#include <stdio.h>

#include "accountd/arena.h"
#include "accountd/slice.h"
#include "accountd/value.h"

/* Adds a member: as a string where the bytes are UTF-8, else as NAME_base64; null where they are absent.
 * Returns 0, or -1 without memory. */
int acd_ctl_put_bytes(json_t *object, const char *name, struct acd_slice bytes)
    __attribute__((warn_unused_result));

/* Text is written as acd_ctl_put does, absent bytes as null, and other bytes as `hex:` and their digits. */
void acd_ctl_show_bytes(FILE *out, struct acd_slice bytes);

/* Offsets, bytes and their letters, sixteen a line. */
void acd_ctl_hex_dump(FILE *out, struct acd_slice bytes);

/* The body of a message of accountd's: a map in JSON or MessagePack. NULL where it is none; the caller owns
 * it. Bytes in MessagePack become null, which accountd does not write. */
json_t *acd_ctl_body(struct acd_arena *arena, struct acd_slice content_type, struct acd_slice value);

/* Writes a line of JSON, without what a terminal would obey. Takes `object` over. Returns 0, or -1 without
 * memory. */
int acd_ctl_json_line(FILE *out, json_t *object) __attribute__((warn_unused_result));

#endif
