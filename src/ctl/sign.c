/* Signing, with the key of --key. */
#include "sign.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/arena.h"
#include "accountd/auth.h"
#include "accountd/buffer.h"
#include "accountd/clock.h"
#include "accountd/keyring.h"
#include "accountd/secret.h"
#include "terminal.h"

/* Reads the secret of ID=FILE, and the length of the id. */
static bool read_key(const char *key, size_t *id_len, char *secret, size_t secret_bytes)
{
    const char *equals = strchr(key, '=');
    char path[PATH_MAX];
    char error[PATH_MAX + 128];

    *id_len = equals ? (size_t)(equals - key) : 0;
    if (*id_len == 0 || *id_len > ACD_KEY_ID_MAX) {
        acd_ctl_error("--key %s: ID=FILE is expected, the key's id and the file of its secret", key);
        return false;
    }
    if (!realpath(equals + 1, path)) {
        acd_ctl_error("--key %s: %s", key, strerror(errno));
        return false;
    }
    if (acd_secret_read_private(path, secret, secret_bytes, error, sizeof(error))) {
        acd_ctl_error("--key %s: %s", key, error);
        return false;
    }
    return true;
}

static bool add(rd_kafka_headers_t *headers, const char *name, struct acd_slice value)
{
    return rd_kafka_header_add(headers, name, -1, value.data, (ssize_t)value.len) == 0;
}

/* Over the front and the value, as one text in the arena. */
static bool make(struct acd_arena *arena, struct acd_claim *claim, const char *secret, struct acd_slice front,
                 struct acd_slice value)
{
    struct acd_buffer text;
    size_t len = 0;

    acd_buffer_init(&text, arena, front.len + value.len);
    acd_buffer_add_slice(&text, front);
    acd_buffer_add_slice(&text, value);
    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, strlen(secret),
                     (const unsigned char *)text.data, text.len, claim->signature, sizeof(claim->signature),
                     &len) != NULL;
}

enum acd_ctl_exit acd_ctl_sign(const char *key, const char *topic, struct acd_slice record_key,
                               struct acd_slice value, rd_kafka_headers_t *headers)
{
    struct acd_claim claim = {.made = true};
    char secret[ACD_SECRET_MAX + 2];
    struct acd_arena arena;
    size_t id_len;
    bool good;

    if (!read_key(key, &id_len, secret, sizeof(secret)))
        return ACD_CTL_USAGE;
    acd_arena_init(&arena);
    claim.key_id = acd_slice(key, id_len);
    claim.signed_at = acd_buffer_int(&arena, acd_clock_wall_ms());
    good = make(&arena, &claim, secret,
                acd_signed_front(&arena, &claim, acd_slice_str(topic), record_key, value), value);
    OPENSSL_cleanse(secret, sizeof(secret));
    good = good && add(headers, ACD_HEADER_KEY_ID, claim.key_id) &&
           add(headers, ACD_HEADER_SIGNED_AT, claim.signed_at) &&
           add(headers, ACD_HEADER_SIGNATURE, acd_claim_signature(&arena, &claim));
    acd_arena_free(&arena);
    if (!good)
        acd_ctl_error("the command cannot be signed");
    return good ? ACD_CTL_OK : ACD_CTL_FAILED;
}
