/* keyring.h: the secrets that commands are signed with, read from the files that auth.keys names, and the
 * comparison of a signature. libcrypto makes the HMAC and compares it in constant time.
 *
 * A keyring does not change; all workers may use it at once.
 */
#ifndef ACCOUNTD_KEYRING_H
#define ACCOUNTD_KEYRING_H

#include "accountd/auth.h"
#include "accountd/settings.h"

/* Bytes of a secret; what is shorter is no secret. */
#define ACD_SECRET_MIN 32
#define ACD_SECRET_MAX 1024

/* One item of auth.keys: "ID file=FILE [app=APP …] [op=OP …]". Everything borrows from the text. */
struct acd_key_text {
    struct acd_slice id;
    struct acd_slice file;
    uint32_t ops;       /* as in acd_grant */
    uint32_t app_count; /* how many app= there are */
};

/* Takes an item apart. Returns NULL, or what is wrong with it: a fixed text. `apps` takes up to `app_max` of
 * its apps; NULL and 0: none. */
const char *acd_key_parse(const char *text, struct acd_key_text *out, struct acd_slice *apps,
                          uint32_t app_max);

struct acd_keyring;

/* Reads the keys. Returns 0, or -1 with the reason in `error`: a file cannot be read, others may read it, or
 * its secret is too short. *out is NULL when no keys are set. */
int acd_keyring_open(const struct acd_settings *settings, struct acd_keyring **out, char *error,
                     size_t error_bytes) __attribute__((warn_unused_result));

/* NULL is accepted; secrets are wiped. */
void acd_keyring_free(struct acd_keyring *keyring);

/* True when both hold the same secrets under the same ids; either may be NULL. */
bool acd_keyring_same(const struct acd_keyring *a, const struct acd_keyring *b);

enum acd_verified {
    ACD_VERIFIED,
    ACD_NOT_VERIFIED, /* no such key, or another signature: which of the two, nobody is told */
    ACD_VERIFY_NO_MEMORY
};

/* Compares the claim's signature with that of `front` and then `value`. An id that is not known takes as long
 * as one that is. `grant` is the keyring's. */
enum acd_verified acd_keyring_verify(const struct acd_keyring *keyring, const struct acd_claim *claim,
                                     struct acd_slice front, struct acd_slice value,
                                     const struct acd_grant **grant);

#endif
