/* The account cache: what was put is got, until it is dropped or the room is needed. */
#include <stdio.h>

#include "support.h"

#include "accountd/cache.h"

static const struct acd_slice app = ACD_LITERAL("demo");

static struct acd_account make_account(int64_t revision, const char *nickname,
                                       const struct acd_custom *custom, uint32_t custom_count)
{
    struct acd_account account = {
        .exists = true, .type = ACD_GENERAL, .revision = revision, .custom = custom};

    account.custom_count = custom_count;
    account.fields[ACD_NICKNAME] = acd_slice_str(nickname);
    return account;
}

static void put(struct acd_cache *cache, const char *name, const struct acd_account *account)
{
    acd_cache_put(cache, acd_state_hash(app, acd_slice_str(name)), app, acd_slice_str(name), account);
}

static const struct acd_account *get(struct acd_cache *cache, const char *name)
{
    return acd_cache_get(cache, acd_state_hash(app, acd_slice_str(name)), app, acd_slice_str(name));
}

static void test_copies(void **unused)
{
    struct acd_cache *cache = acd_cache_new(1 << 20);
    char nickname[] = "Al";
    const struct acd_custom custom[] = {{ACD_LITERAL("a"), ACD_LITERAL("1")},
                                        {ACD_LITERAL("b"), ACD_LITERAL("2")}};
    struct acd_account account = make_account(3, nickname, custom, 2);
    const struct acd_account *found;

    put(cache, "alice", &account);
    nickname[0] = 'X';
    found = get(cache, "alice");
    assert_non_null(found);
    assert_int_equal(found->revision, 3);
    assert_true(acd_slice_is(found->fields[ACD_NICKNAME], "Al"));
    assert_int_equal(found->custom_count, 2);
    assert_true(acd_slice_is(found->custom[1].value, "2"));
    assert_null(get(cache, "bob"));
    /* A new version that borrows from the one it replaces. */
    account = *found;
    account.revision = 4;
    put(cache, "alice", &account);
    assert_int_equal(get(cache, "alice")->revision, 4);
    assert_true(acd_slice_is(get(cache, "alice")->fields[ACD_NICKNAME], "Al"));
    acd_cache_drop(cache, acd_state_hash(app, acd_slice_str("alice")), app, acd_slice_str("alice"));
    assert_null(get(cache, "alice"));
    acd_cache_free(cache);
}

static void test_bound(void **unused)
{
    enum { MANY = 5000 };
    struct acd_cache *cache = acd_cache_new(64 << 10);
    char name[32];
    int kept = 0;

    for (int i = 0; i < MANY; i++) {
        struct acd_account account = make_account(i, "nick", NULL, 0);

        snprintf(name, sizeof(name), "u%d", i);
        put(cache, name, &account);
        acd_cache_trim(cache);
        /* The first one is used all the time, so it stays. */
        assert_non_null(get(cache, "u0"));
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        kept += get(cache, name) != NULL;
    }
    assert_in_range(kept, 20, 300);
    acd_cache_clear(cache);
    assert_null(get(cache, "u0"));
    acd_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies), cmocka_unit_test(test_bound)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
