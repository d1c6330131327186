/* Signed commands: headers, what is signed, when a signature is too old, what keys may do; and the keyring,
 * on files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#include "accountd/auth.h"
#include "accountd/keyring.h"
#include "accountd/text.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct acd_header header(const char *name, const char *value)
{
    return (struct acd_header){acd_slice_str(name), acd_slice_str(value)};
}

static void test_headers(void **state)
{
    static const struct {
        const char *id;
        const char *at;
        const char *signature;
        const char *field; /* to blame; NULL: none */
    } table[] = {
        {"k", "5", HEX, NULL},
        {"k", "0", HEX, NULL},
        {"k", "253402300799999", HEX, NULL},
        {"k", "253402300800000", HEX, ACD_HEADER_SIGNED_AT},
        {"k", "-5", HEX, ACD_HEADER_SIGNED_AT},
        {"k", "", HEX, ACD_HEADER_SIGNED_AT},
        {"k", "5.0", HEX, ACD_HEADER_SIGNED_AT},
        {"k", "99999999999999999999", HEX, ACD_HEADER_SIGNED_AT},
        {"k", NULL, HEX, ACD_HEADER_SIGNED_AT},
        {"", "5", HEX, ACD_HEADER_KEY_ID},
        {NULL, "5", HEX, ACD_HEADER_KEY_ID},
        {HEX "x", "5", HEX, ACD_HEADER_KEY_ID},
        {HEX, "5", HEX, NULL},
        {"k", "5", HEX "0", ACD_HEADER_SIGNATURE},
        {"k", "5", "0123", ACD_HEADER_SIGNATURE},
        {"k", "5", "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", ACD_HEADER_SIGNATURE},
        {"k", "5", "0123456789abcdeg0123456789abcdef0123456789abcdef0123456789abcdef", ACD_HEADER_SIGNATURE},
        {"k", "5", NULL, ACD_HEADER_SIGNATURE},
        {NULL, NULL, NULL, ACD_HEADER_SIGNATURE},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_header headers[] = {header(ACD_HEADER_KEY_ID, "before"), header("other", "x"),
                                       header(ACD_HEADER_SIGNATURE, table[i].signature),
                                       header(ACD_HEADER_SIGNED_AT, table[i].at),
                                       header(ACD_HEADER_KEY_ID, table[i].id)};
        struct acd_claim claim;

        acd_claim_read(headers, 5, &claim);
        assert_true(claim.made);
        if (!table[i].field && !claim.field)
            continue;
        assert_non_null(claim.field);
        assert_non_null(claim.wrong);
        assert_string_equal(claim.field, table[i].field ? table[i].field : "none");
    }
}

static void test_no_headers(void **state)
{
    struct acd_header other = header("content-type", "application/json");
    struct acd_claim claim;

    acd_claim_read(&other, 1, &claim);
    assert_false(claim.made);
    assert_string_equal(claim.field, ACD_HEADER_SIGNATURE);
}

static void test_signature_text(void **state)
{
    struct acd_header headers[] = {header(ACD_HEADER_KEY_ID, "k"), header(ACD_HEADER_SIGNATURE, HEX),
                                   header(ACD_HEADER_SIGNED_AT, "5")};
    struct acd_arena arena;
    struct acd_claim claim;

    acd_arena_init(&arena);
    acd_claim_read(headers, 3, &claim);
    assert_int_equal(claim.signed_at_ms, 5);
    assert_true(acd_slice_is(acd_claim_signature(&arena, &claim), HEX));
    acd_arena_free(&arena);
}

/* Bytes that move from one part to the next, and null for empty, are all something else. */
static void test_front(void **state)
{
    static const char *const table[][5] = {
        {"k", "5", "t", "key", "value"}, {"k", "5", "tk", "ey", "value"}, {"k", "5t", "", "key", "value"},
        {"k5", "", "t", "key", "value"}, {"k", "5", "t", NULL, "value"},  {"k", "5", "t", "", "value"},
        {"k", "5", "t", "key", NULL},    {"k", "5", "t", "key", ""},
    };
    enum { COUNT = sizeof(table) / sizeof(table[0]) };
    static const char wanted[] = "\0\0\0\x09"
                                 "accountd1"
                                 "\0\0\0\x01k\0\0\0\x01"
                                 "5\0\0\0\x01t\0\0\0\x03key\0\0\0\x05";
    struct acd_slice fronts[COUNT];
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < COUNT; i++) {
        struct acd_claim claim = {.key_id = acd_slice_str(table[i][0]),
                                  .signed_at = acd_slice_str(table[i][1])};

        fronts[i] = acd_signed_front(&arena, &claim, acd_slice_str(table[i][2]), acd_slice_str(table[i][3]),
                                     acd_slice_str(table[i][4]));
        for (size_t j = 0; j < i; j++)
            assert_false(acd_slice_equal(fronts[i], fronts[j]));
    }
    assert_true(acd_slice_equal(fronts[0], acd_slice(wanted, sizeof(wanted) - 1)));
    assert_memory_equal(fronts[6].data + fronts[6].len - 4, "\xff\xff\xff\xff", 4);
    acd_arena_free(&arena);
}

static void test_times(void **state)
{
    static const struct {
        int64_t signed_at;
        int64_t written;
        int64_t now;
        bool late;
    } table[] = {
        {1000, 1000, 1000, false},    {1000, 1100, 9000, false}, {1000, 1101, 9000, true},
        {1000, 900, 9000, false},     {1000, 899, 9000, true},   {1000, 1000, 900, false},
        {1001, 1000, 900, true},      {0, -1, 9000, false},      {ACD_TIME_MAX_MS, INT64_MAX, 9000, true},
        {1000, 1100, 1000000, false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_claim claim = {.signed_at_ms = table[i].signed_at};
        const char *late = acd_claim_late(&claim, table[i].written, table[i].now, 100);

        if ((late != NULL) != table[i].late)
            fail_msg("row %zu: %s", i, late ? late : "in time");
    }
}

static void test_grants(void **state)
{
    static const struct {
        const char *key; /* an item of auth.keys */
        enum acd_op op;
        const char *app;
        const char *forbidden; /* NULL: it may */
    } table[] = {
        {"k file=f", ACD_DELETE, "demo", NULL},
        {"k file=f app=demo", ACD_DELETE, "demo", NULL},
        {"k file=f app=demo", ACD_DELETE, "dem", "app"},
        {"k app=a app=b file=f", ACD_GET, "b", NULL},
        {"k app=a app=b file=f", ACD_GET, "c", "app"},
        {"k file=f op=get op=list", ACD_LIST, "demo", NULL},
        {"k file=f op=get op=list", ACD_EDIT, "demo", "op"},
        {"k file=f op=get app=a", ACD_EDIT, "b", "op"},
        {"k file=f op=get app=a", ACD_GET, "b", "app"},
        {"k file=f op=get app=a", ACD_OP_NONE, "a", NULL},
        {"k file=f op=get app=a", ACD_GET, "", NULL},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_key_text parts;
        struct acd_slice apps[4];
        struct acd_command command = {.op = table[i].op, .app = acd_slice_str(table[i].app)};
        struct acd_grant grant;
        const char *forbidden;

        assert_null(acd_key_parse(table[i].key, &parts, apps, 4));
        grant = (struct acd_grant){apps, parts.app_count, parts.ops};
        forbidden = acd_grant_forbids(&grant, &command);
        assert_string_equal(forbidden ? forbidden : "", table[i].forbidden ? table[i].forbidden : "");
    }
}

static void test_wrong_keys(void **state)
{
    static const char *const table[] = {"",
                                        " ",
                                        "k",
                                        "k file=",
                                        "k=f file=f",
                                        "k file=a/b",
                                        "k file=f op=drop",
                                        "k file=f op=",
                                        "k file=f app=",
                                        "k file=f app=a.b",
                                        "k file=f app=123456789012345678901234567890123",
                                        "k file=f surplus",
                                        HEX "x file=f"};
    struct acd_key_text parts;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!acd_key_parse(table[i], &parts, NULL, 0))
            fail_msg("'%s' passes for a key", table[i]);
}

/* ---- The keyring */

static char directory[] = "/tmp/accountd-test-XXXXXX";

static void write_secret(const char *text, mode_t mode)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/secret", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fchmod(fileno(file), mode), 0);
    fclose(file);
}

/* The keyring of one key, or NULL and the error. */
static struct acd_keyring *open_keyring(char *error, size_t error_bytes)
{
    char item[256];
    char *items[] = {item};
    struct acd_settings settings = {.auth = {.keys = {items, 1}}};
    struct acd_keyring *keyring;
    int result;

    snprintf(item, sizeof(item), "k file=%s/secret op=get", directory);
    result = acd_keyring_open(&settings, &keyring, error, error_bytes);
    assert_int_equal(result, keyring ? 0 : -1);
    return keyring;
}

/* Made by Python's hmac: the signature of topic t, key "key" and value "value", at 5. */
#define SECRET   "0123456789012345678901234567890123456789"
#define EXPECTED "76ec81c5ae38776d5affa84970b730fa0409331c4a62d15aa0b901a1cc2b7c82"

static enum acd_verified verify(const struct acd_keyring *keyring, const char *id, const char *signature,
                                const char *value, const struct acd_grant **grant)
{
    struct acd_header headers[] = {header(ACD_HEADER_KEY_ID, id), header(ACD_HEADER_SIGNATURE, signature),
                                   header(ACD_HEADER_SIGNED_AT, "5")};
    struct acd_arena arena;
    struct acd_claim claim;
    struct acd_slice front;
    enum acd_verified verified;

    acd_arena_init(&arena);
    acd_claim_read(headers, 3, &claim);
    assert_null(claim.field);
    front = acd_signed_front(&arena, &claim, acd_slice_str("t"), acd_slice_str("key"), acd_slice_str(value));
    verified = acd_keyring_verify(keyring, &claim, front, acd_slice_str(value), grant);
    acd_arena_free(&arena);
    return verified;
}

static void test_verify(void **state)
{
    char error[256] = "";
    const struct acd_grant *grant = NULL;
    struct acd_keyring *keyring;

    write_secret(SECRET "\nmore\n", 0600);
    keyring = open_keyring(error, sizeof(error));
    assert_non_null(keyring);
    /* Twice: the key is not used up. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(verify(keyring, "k", EXPECTED, "value", &grant), ACD_VERIFIED);
        assert_int_equal(grant->ops, 1u << ACD_GET);
    }
    assert_int_equal(verify(keyring, "k", HEX, "value", &grant), ACD_NOT_VERIFIED);
    assert_int_equal(verify(keyring, "k", EXPECTED, "valuE", &grant), ACD_NOT_VERIFIED);
    assert_int_equal(verify(keyring, "k", EXPECTED, "", &grant), ACD_NOT_VERIFIED);
    assert_int_equal(verify(keyring, "k", EXPECTED, NULL, &grant), ACD_NOT_VERIFIED);
    assert_int_equal(verify(keyring, "other", EXPECTED, "value", &grant), ACD_NOT_VERIFIED);
    assert_null(grant);
    acd_keyring_free(keyring);
}

static void test_same(void **state)
{
    char error[256];
    struct acd_keyring *one;
    struct acd_keyring *two;

    write_secret(SECRET, 0400);
    one = open_keyring(error, sizeof(error));
    two = open_keyring(error, sizeof(error));
    assert_true(acd_keyring_same(one, two));
    assert_false(acd_keyring_same(one, NULL));
    assert_false(acd_keyring_same(NULL, one));
    assert_true(acd_keyring_same(NULL, NULL));
    acd_keyring_free(two);
    write_secret(SECRET "x", 0600);
    two = open_keyring(error, sizeof(error));
    assert_false(acd_keyring_same(one, two));
    acd_keyring_free(one);
    acd_keyring_free(two);
    acd_keyring_free(NULL);
}

static void test_files(void **state)
{
    char error[256] = "";
    char long_secret[ACD_SECRET_MAX + 16];
    struct acd_keyring *keyring;

    write_secret("0123456789012345678901234567890", 0600);
    assert_null(open_keyring(error, sizeof(error)));
    assert_non_null(strstr(error, "has 31 bytes; a secret has 32 to 1024"));
    memset(long_secret, 'x', sizeof(long_secret));
    long_secret[ACD_SECRET_MAX + 1] = '\0';
    write_secret(long_secret, 0600);
    assert_null(open_keyring(error, sizeof(error)));
    assert_non_null(strstr(error, "has 1025 bytes"));
    write_secret(SECRET, 0604);
    assert_null(open_keyring(error, sizeof(error)));
    assert_non_null(strstr(error, "with mode 604 everybody may read it"));
    /* As systemd gives credentials to a service's user: an ACL, which shows as the group's right. */
    write_secret(SECRET, 0440);
    keyring = open_keyring(error, sizeof(error));
    assert_non_null(keyring);
    acd_keyring_free(keyring);
}

static int make_directory(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/secret", directory);
    unlink(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),        cmocka_unit_test(test_no_headers),
        cmocka_unit_test(test_signature_text), cmocka_unit_test(test_front),
        cmocka_unit_test(test_times),          cmocka_unit_test(test_grants),
        cmocka_unit_test(test_wrong_keys),     cmocka_unit_test(test_verify),
        cmocka_unit_test(test_same),           cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
