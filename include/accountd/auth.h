/* auth.h: signed commands: what a record says of its signature, which bytes the signature is over, what a key
 * may do, and when a signature is too old. Pure: the secrets and the HMAC are keyring.h's.
 *
 * The signature is HMAC-SHA256 over six parts, each after its length as four bytes, big-endian (ff ff ff ff
 * and no bytes for a null): "accountd1", the key's id, the time of signing as it stands in its header, the
 * topic, the record's key and its value. The lengths keep bytes from moving from one part to the next.
 */
#ifndef ACCOUNTD_AUTH_H
#define ACCOUNTD_AUTH_H

#include "accountd/command.h"
#include "accountd/outgoing.h"

#define ACD_KEY_ID_MAX       64 /* bytes of a key's id */
#define ACD_SIGNATURE_BYTES  32 /* of an HMAC-SHA256 */

#define ACD_HEADER_KEY_ID    "accountd-key-id"
#define ACD_HEADER_SIGNED_AT "accountd-signed-at"
#define ACD_HEADER_SIGNATURE "accountd-signature"

/* What a record's headers say. */
struct acd_claim {
    bool made;               /* one of the three headers is there */
    struct acd_slice key_id; /* borrows from the headers, as signed_at does */
    struct acd_slice signed_at;
    int64_t signed_at_ms;
    unsigned char signature[ACD_SIGNATURE_BYTES];
    const char *field; /* the header to blame; NULL: they are well-formed */
    const char *wrong; /* … and what is wrong with it */
};

/* Of a name that comes more than once the last one counts. */
void acd_claim_read(const struct acd_header *headers, uint32_t count, struct acd_claim *out);

/* Lower-case hex of a signature, in the arena. */
struct acd_slice acd_claim_signature(struct acd_arena *arena, const struct acd_claim *claim);

/* All that is signed but for the value's bytes, which come last: they may be many, and are not copied. */
struct acd_slice acd_signed_front(struct acd_arena *arena, const struct acd_claim *claim,
                                  struct acd_slice topic, struct acd_slice key, struct acd_slice value);

/* What is wrong with the time of signing: NULL, or a text. The record may have been written no more than the
 * window before or after it was signed, and no record is signed later than now, but for the window. */
const char *acd_claim_late(const struct acd_claim *claim, int64_t written_ms, int64_t now_ms,
                           int64_t window_ms);

/* What a key may be used for. */
struct acd_grant {
    const struct acd_slice *apps; /* none listed: all */
    uint32_t app_count;
    uint32_t ops; /* bit per enum acd_op; 0: all */
};

/* The field to blame, "op" or "app", when the key may not be used for a command, else NULL. Where the command
 * names no valid one, there is nothing that it could do. */
const char *acd_grant_forbids(const struct acd_grant *grant, const struct acd_command *command);

#endif
