/* Keys for signed commands, and the HMAC. */
#include "accountd/keyring.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/secret.h"

struct key {
    struct acd_slice id; /* borrows from `text`, as the grant's apps do */
    char *text;
    struct acd_slice *apps;
    struct acd_grant grant;
    char secret[ACD_SECRET_MAX + 2];
    EVP_MAC_CTX *keyed; /* with the secret in it; copied for each signature */
};

struct acd_keyring {
    EVP_MAC *mac;
    struct key *keys;
    uint32_t count;
    EVP_MAC_CTX *decoy; /* in place of a key that is not known; its secret is random */
};

/* ---- Items of the settings */

static struct acd_slice next_word(const char **at)
{
    struct acd_slice word;

    *at += strspn(*at, " ");
    word = acd_slice(*at, strcspn(*at, " "));
    *at += word.len;
    return word;
}

static bool takes_front(struct acd_slice *word, const char *front)
{
    size_t len = strlen(front);

    if (word->len <= len || memcmp(word->data, front, len) != 0)
        return false;
    *word = acd_slice(word->data + len, word->len - len);
    return true;
}

static bool consists_of(struct acd_slice word, const char *others)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr(others, c)))
            return false;
    }
    return true;
}

static const char *take_op(struct acd_key_text *out, struct acd_slice word)
{
    for (int op = ACD_CREATE; op < ACD_OP_COUNT; op++)
        if (acd_slice_is(word, acd_op_text((enum acd_op)op))) {
            out->ops |= 1u << op;
            return NULL;
        }
    return "has a wrong op=: it must be create, edit, delete, get, list or export";
}

const char *acd_key_parse(const char *text, struct acd_key_text *out, struct acd_slice *apps,
                          uint32_t app_max)
{
    struct acd_slice word;
    const char *wrong = NULL;

    *out = (struct acd_key_text){.id = next_word(&text)};
    if (out->id.len == 0 || out->id.len > ACD_KEY_ID_MAX || !consists_of(out->id, "._-"))
        return "must begin with the key's id: 1 to 64 letters, digits, dots, underscores and hyphens";
    while (!wrong && (word = next_word(&text)).len) {
        if (takes_front(&word, "file=")) {
            out->file = word;
        } else if (takes_front(&word, "op=")) {
            wrong = take_op(out, word);
        } else if (takes_front(&word, "app=")) {
            if (word.len > ACD_APP_MAX || !consists_of(word, "_-"))
                return "has a wrong app=: it must be 1 to 32 letters, digits, underscores and hyphens";
            if (out->app_count < app_max)
                apps[out->app_count] = word;
            out->app_count++;
        } else {
            return "must be ID file=FILE, and then app=APP and op=OP, as often as needed";
        }
    }
    if (!wrong && out->file.len == 0)
        return "names no file=FILE with the secret";
    if (!wrong && out->file.data[0] != '/' && memchr(out->file.data, '/', out->file.len))
        return "has a wrong file=: it must be an absolute path, or the name of a systemd credential";
    return wrong;
}

/* ---- The keyring */

static EVP_MAC_CTX *make_keyed(EVP_MAC *mac, const void *secret, size_t len)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC_CTX *keyed = EVP_MAC_CTX_new(mac);

    if (keyed && EVP_MAC_init(keyed, secret, len, params) == 1)
        return keyed;
    EVP_MAC_CTX_free(keyed);
    return NULL;
}

static int read_key(const struct acd_keyring *keyring, struct key *key, const char *item, char *error,
                    size_t error_bytes)
{
    struct acd_key_text parts;
    char file[4097];
    char reason[512];

    /* The settings were refused if it is none. */
    acd_key_parse(item, &parts, NULL, 0);
    key->text = strdup(item);
    key->apps = calloc((size_t)parts.app_count + 1, sizeof(*key->apps));
    if (!key->text || !key->apps) {
        snprintf(error, error_bytes, "no memory");
        return -1;
    }
    acd_key_parse(key->text, &parts, key->apps, parts.app_count);
    key->id = parts.id;
    key->grant = (struct acd_grant){key->apps, parts.app_count, parts.ops};
    snprintf(file, sizeof(file), "%.*s", ACD_SLICE_ARGS(parts.file));
    if (acd_secret_read_private(file, key->secret, sizeof(key->secret), reason, sizeof(reason))) {
        snprintf(error, error_bytes, "key %.*s: %s", ACD_SLICE_ARGS(key->id), reason);
        return -1;
    }
    if (strlen(key->secret) < ACD_SECRET_MIN || strlen(key->secret) > ACD_SECRET_MAX) {
        snprintf(error, error_bytes, "key %.*s: the first line of %s has %zu bytes; a secret has %d to %d",
                 ACD_SLICE_ARGS(key->id), file, strlen(key->secret), ACD_SECRET_MIN, ACD_SECRET_MAX);
        return -1;
    }
    key->keyed = make_keyed(keyring->mac, key->secret, strlen(key->secret));
    if (!key->keyed)
        snprintf(error, error_bytes, "libcrypto makes no HMAC-SHA256");
    return key->keyed ? 0 : -1;
}

static int make_decoy(struct acd_keyring *keyring)
{
    unsigned char secret[ACD_SECRET_MIN];

    if (RAND_bytes(secret, sizeof(secret)) == 1)
        keyring->decoy = make_keyed(keyring->mac, secret, sizeof(secret));
    OPENSSL_cleanse(secret, sizeof(secret));
    return keyring->decoy ? 0 : -1;
}

static int fill(struct acd_keyring *keyring, const struct acd_strings *items, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "libcrypto makes no HMAC-SHA256");
    keyring->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    keyring->keys = calloc(items->count, sizeof(*keyring->keys));
    if (!keyring->mac || !keyring->keys || make_decoy(keyring))
        return -1;
    for (uint32_t i = 0; i < items->count; i++) {
        keyring->count++;
        if (read_key(keyring, &keyring->keys[i], items->items[i], error, error_bytes))
            return -1;
    }
    return 0;
}

int acd_keyring_open(const struct acd_settings *settings, struct acd_keyring **out, char *error,
                     size_t error_bytes)
{
    *out = NULL;
    if (settings->auth.keys.count == 0)
        return 0;
    *out = calloc(1, sizeof(**out));
    if (*out && fill(*out, &settings->auth.keys, error, error_bytes) == 0)
        return 0;
    if (!*out)
        snprintf(error, error_bytes, "no memory");
    acd_keyring_free(*out);
    *out = NULL;
    return -1;
}

void acd_keyring_free(struct acd_keyring *keyring)
{
    if (!keyring)
        return;
    for (uint32_t i = 0; i < keyring->count; i++) {
        struct key *key = &keyring->keys[i];

        EVP_MAC_CTX_free(key->keyed);
        OPENSSL_cleanse(key->secret, sizeof(key->secret));
        free(key->apps);
        free(key->text);
    }
    EVP_MAC_CTX_free(keyring->decoy);
    EVP_MAC_free(keyring->mac);
    free(keyring->keys);
    free(keyring);
}

bool acd_keyring_same(const struct acd_keyring *a, const struct acd_keyring *b)
{
    if (!a || !b || a->count != b->count)
        return a == b;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->keys[i].text, b->keys[i].text) != 0 ||
            strcmp(a->keys[i].secret, b->keys[i].secret) != 0)
            return false;
    return true;
}

enum acd_verified acd_keyring_verify(const struct acd_keyring *keyring, const struct acd_claim *claim,
                                     struct acd_slice front, struct acd_slice value,
                                     const struct acd_grant **grant)
{
    const struct key *key = NULL;
    unsigned char right[ACD_SIGNATURE_BYTES] = {0};
    size_t len = 0;
    EVP_MAC_CTX *context;
    bool made;
    bool same;

    for (uint32_t i = 0; i < keyring->count && !key; i++)
        if (acd_slice_equal(keyring->keys[i].id, claim->key_id))
            key = &keyring->keys[i];
    context = EVP_MAC_CTX_dup(key ? key->keyed : keyring->decoy);
    made = context && EVP_MAC_update(context, (const unsigned char *)front.data, front.len) == 1 &&
           EVP_MAC_update(context, (const unsigned char *)value.data, value.len) == 1 &&
           EVP_MAC_final(context, right, &len, sizeof(right)) == 1;
    EVP_MAC_CTX_free(context);
    same = CRYPTO_memcmp(right, claim->signature, sizeof(right)) == 0;
    OPENSSL_cleanse(right, sizeof(right));
    if (!made)
        return ACD_VERIFY_NO_MEMORY;
    *grant = key ? &key->grant : NULL;
    return key && same ? ACD_VERIFIED : ACD_NOT_VERIFIED;
}
