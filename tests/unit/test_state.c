/* The state of a batch: entries and apps are found again, in the order of first use. */
#include <stdlib.h>

#include "support.h"

#define MANY 20000

static struct acd_slice name_of(struct acd_arena *arena, int number)
{
    return acd_arena_format(arena, "account-%d", number);
}

static void test_entries(void **unused)
{
    struct acd_arena arena;
    struct acd_state state;
    struct acd_entry *entry;
    int number = 0;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 4);
    for (int i = 0; i < MANY; i++) {
        entry = acd_state_entry(&state, acd_slice_str(i % 2 ? "odd" : "even"), name_of(&arena, i));
        assert_null(entry->base);
        assert_null(entry->current);
        assert_int_equal(entry->partition, ACD_NO_PARTITION);
    }
    assert_int_equal(state.entry_count, MANY);
    assert_true(state.bucket_count >= MANY);

    for (entry = state.entries; entry; entry = entry->next, number++) {
        struct acd_slice app = acd_slice_str(number % 2 ? "odd" : "even");
        struct acd_slice name = name_of(&arena, number);

        assert_true(acd_slice_equal(entry->name, name));
        assert_true(acd_slice_equal(entry->app->name, app));
        assert_ptr_equal(acd_state_find(&state, app, name), entry);
        assert_ptr_equal(acd_state_entry(&state, app, name), entry);
        assert_null(acd_state_find(&state, acd_slice_str("other"), name));
    }
    assert_int_equal(number, MANY);
    assert_int_equal(state.entry_count, MANY);
    acd_arena_free(&arena);
}

/* A batch that says how many accounts it will look at has buckets for them from the start. */
static void test_expected_entries(void **unused)
{
    struct acd_arena arena;
    struct acd_state state;
    size_t buckets;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, MANY);
    buckets = state.bucket_count;
    assert_true(buckets >= MANY);
    for (int i = 0; i < MANY; i++)
        acd_state_entry(&state, acd_slice_str("demo"), name_of(&arena, i));
    assert_int_equal(state.bucket_count, buckets);
    acd_arena_free(&arena);
}

static void test_apps(void **unused)
{
    struct acd_arena arena;
    struct acd_state state;
    int number = 0;

    acd_arena_init(&arena);
    acd_state_init(&state, &arena, 0);
    for (int i = 0; i < 3 * ACD_APP_BUCKETS; i++) {
        struct acd_app *app = acd_state_app(&state, name_of(&arena, i));

        assert_int_equal(app->admins_base, -1);
        assert_int_equal(app->admins, -1);
        assert_false(app->admins_touched);
        assert_int_equal(app->partition, ACD_NO_PARTITION);
    }
    for (struct acd_app *app = state.apps; app; app = app->next, number++)
        assert_ptr_equal(acd_state_app(&state, name_of(&arena, number)), app);
    assert_int_equal(number, 3 * ACD_APP_BUCKETS);
    acd_arena_free(&arena);
}

/* Chains must be short for names that differ little, and bytes must not move between app and name. */
static void test_hash(void **unused)
{
    enum { BUCKETS = 1024 };
    struct acd_arena arena;
    int used[BUCKETS] = {0};
    int longest = 0;

    acd_arena_init(&arena);
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t hash = acd_state_hash(acd_slice_str("demo"), name_of(&arena, i));
        int count = ++used[hash & (BUCKETS - 1)];

        if (count > longest)
            longest = count;
    }
    assert_in_range(longest, 1, 12);
    assert_true(acd_state_hash(acd_slice_str("ab"), acd_slice_str("c")) !=
                acd_state_hash(acd_slice_str("a"), acd_slice_str("bc")));
    assert_true(acd_state_hash(acd_slice_str("a"), acd_slice_str("b")) ==
                acd_state_hash(acd_slice("ax", 1), acd_slice("bx", 1)));
    acd_arena_free(&arena);
}

static void test_same(void **unused)
{
    static const struct acd_custom one[] = {{ACD_LITERAL("a"), ACD_LITERAL("1")}};
    static const struct acd_custom other[] = {{ACD_LITERAL("a"), ACD_LITERAL("2")}};
    static const struct acd_custom renamed[] = {{ACD_LITERAL("b"), ACD_LITERAL("1")}};
    struct acd_account a = {.exists = true, .type = ACD_GENERAL, .revision = 1, .created_at_ms = 5};
    struct acd_account b = {.exists = true, .type = ACD_GENERAL, .revision = 2, .updated_at_ms = 6};

    assert_true(acd_account_same(&a, &b));
    b.type = ACD_ADMIN;
    assert_false(acd_account_same(&a, &b));
    b.type = ACD_GENERAL;
    b.fields[ACD_ROLE] = acd_slice_str("1");
    assert_false(acd_account_same(&a, &b));
    a.fields[ACD_ROLE] = acd_slice_str("1");
    assert_true(acd_account_same(&a, &b));
    a.custom = one;
    a.custom_count = 1;
    assert_false(acd_account_same(&a, &b));
    b.custom = other;
    b.custom_count = 1;
    assert_false(acd_account_same(&a, &b));
    b.custom = renamed;
    assert_false(acd_account_same(&a, &b));
    b.custom = one;
    assert_true(acd_account_same(&a, &b));
    b.exists = false;
    assert_false(acd_account_same(&a, &b));
    assert_true(acd_account_same(&b, &acd_account_none));
}

/* What a batch of accounts does, one word for each, and whether it only makes new ones. */
static void test_only_new(void **unused)
{
    static const struct {
        const char *name;
        const char *accounts;
        bool expected;
    } cases[] = {
        {"nothing", "", true},
        {"new accounts", "new new", true},
        {"an edit among them", "new edited new", false},
        {"one that is only read", "new read", false},
        {"one that is made anew after its deletion", "remade", false},
        {"one that is not there, and stays so", "absent", false},
        {"one that no decision looked at", "new untouched", true},
    };
    const struct acd_account there = {.exists = true, .revision = 1};
    const struct acd_account later = {.exists = true, .revision = 2};
    const struct acd_account deleted = {.revision = 2};
    const struct {
        const char *word;
        const struct acd_account *base;
        const struct acd_account *current;
        bool touched;
    } accounts[] = {
        {"new", &acd_account_none, &there, true},
        {"edited", &there, &later, true},
        {"read", &there, &there, true},
        {"remade", &deleted, &later, true},
        {"absent", &acd_account_none, &acd_account_none, true},
        {"untouched", &there, &there, false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct acd_arena arena;
        struct acd_state state;
        char *words = strdup(cases[i].accounts);
        int number = 0;

        acd_arena_init(&arena);
        acd_state_init(&state, &arena, 4);
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
            struct acd_entry *entry =
                acd_state_entry(&state, acd_slice_str("demo"), name_of(&arena, number++));

            for (size_t n = 0; n < sizeof(accounts) / sizeof(*accounts); n++) {
                if (strcmp(word, accounts[n].word) != 0)
                    continue;
                entry->base = accounts[n].base;
                entry->current = accounts[n].current;
                entry->touched = accounts[n].touched;
            }
        }
        if (acd_state_only_new(&state) != cases[i].expected)
            fail_msg("%s: should be %d", cases[i].name, cases[i].expected);
        free(words);
        acd_arena_free(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries), cmocka_unit_test(test_expected_entries),
        cmocka_unit_test(test_apps),    cmocka_unit_test(test_hash),
        cmocka_unit_test(test_same),    cmocka_unit_test(test_only_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
