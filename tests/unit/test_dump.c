/* An account's hash in one value: byte for byte what Redis itself would dump. */
#include <string.h>

#include "support.h"

#include "accountd/text.h"

#include "../../src/store/dump.h"

static struct acd_arena arena;

static const char *hex_of(struct acd_slice bytes)
{
    char *hex = acd_arena_alloc(&arena, 2 * bytes.len + 1);

    acd_hex_format((const unsigned char *)bytes.data, bytes.len, hex);
    return hex;
}

static struct acd_account make_account(const struct acd_custom *custom, uint32_t custom_count)
{
    struct acd_account account = {.exists = true,
                                  .type = ACD_GENERAL,
                                  .revision = 1,
                                  .created_at_ms = 1795378000000,
                                  .updated_at_ms = 1795378000001,
                                  .custom = custom,
                                  .custom_count = custom_count};

    account.fields[ACD_NICKNAME] = acd_slice_str("Alice");
    return account;
}

/* From Redis 7.0.15, after CONFIG SET rdbcompression no and CONFIG SET hash-max-listpack-value 1000:
 * HSET k type general rev 1 created_at 1795378000000 updated_at 1795378000001 nickname Alice
 *     signature (a hundred x) custom.a b, DUMP k */
static void test_as_redis_dumps(void **unused)
{
    static const char before[] = "1040d9d90000000e008474797065058767656e6572616c08837265760401018a63726561"
                                 "7465645f61740bf48030de04a2010000098a757064617465645f61740bf48130de04a201"
                                 "000009886e69636b6e616d650985416c69636506897369676e61747572650ae064";
    static const char behind[] = "6688637573746f6d2e6109816202ff0a00"
                                 "c1f1c43d23a8ce18";
    const struct acd_custom custom[] = {{ACD_LITERAL("a"), ACD_LITERAL("b")}};
    struct acd_account account = make_account(custom, 1);
    char signature[100];
    char expected[sizeof(before) + 2 * sizeof(signature) + sizeof(behind)] = "";
    char *end;

    memset(signature, 'x', sizeof(signature));
    account.fields[ACD_SIGNATURE] = acd_slice(signature, sizeof(signature));
    end = stpcpy(expected, before);
    for (size_t i = 0; i < sizeof(signature); i++)
        end = stpcpy(end, "78");
    stpcpy(end, behind);
    assert_string_equal(hex_of(acd_dump(&arena, &account)), expected);
}

/* A changelog's account may be larger than any that a command makes. The sums are Redis' own of the same,
 * with a custom.a of so many x in place of signature and custom.a above, and hash-max-listpack-value 1000000.
 */
static void test_lengths(void **unused)
{
    static const struct {
        size_t bytes; /* of the custom field */
        size_t len;   /* of the whole */
        const char *sum;
    } rows[] = {
        {1, 116, "b22441b06d372311"},         {63, 178, "7d753b653126e1aa"},
        {64, 180, "84be2da30b712ff5"},        {124, 240, "a499c3b12c735b6f"},
        {125, 241, "eded39251f0781ba"},       {126, 243, "227fbed6b1286c50"},
        {4095, 4212, "6d895ede8448df34"},     {4096, 4216, "4679a24ba7131b91"},
        {16374, 16497, "9c5713cc3e6e61f2"},   {16375, 16498, "8deeda9cf2c18aad"},
        {16376, 16499, "684253934097eec3"},   {16377, 16500, "a4c451d94f747e34"},
        {16378, 16502, "5b016fddec465c59"},   {16379, 16503, "029ad505020c14b8"},
        {200000, 200124, "28370910acab87bf"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = acd_arena_alloc(&arena, rows[i].bytes);
        const struct acd_custom custom[] = {{ACD_LITERAL("a"), acd_slice(text, rows[i].bytes)}};
        struct acd_account account = make_account(custom, 1);
        struct acd_slice dump;

        memset(text, 'x', rows[i].bytes);
        dump = acd_dump(&arena, &account);
        print_message("a custom field of %zu bytes\n", rows[i].bytes);
        assert_int_equal(dump.len, rows[i].len);
        assert_string_equal(hex_of(acd_slice(dump.data + dump.len - 8, 8)), rows[i].sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_redis_dumps),
        cmocka_unit_test(test_lengths),
    };

    int failed;

    acd_arena_init(&arena);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    acd_arena_free(&arena);
    return failed;
}
