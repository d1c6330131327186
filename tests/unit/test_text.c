/* The base and text.h: arena, buffer, UTF-8, times, numbers. */
#include "support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accountd/buffer.h"
#include "accountd/text.h"

static void test_times(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {951868799999, "2000-02-29T23:59:59.999Z"},
        {951868800000, "2000-03-01T00:00:00.000Z"},
        {1795378148123, "2026-11-22T20:09:08.123Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {ACD_TIME_MAX_MS, "9999-12-31T23:59:59.999Z"},
        {ACD_TIME_MAX_MS + 1, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char text[ACD_TIME_BYTES];

        acd_time_format(table[i].ms, text);
        assert_string_equal(text, table[i].text);
    }
}

static void test_dates(void **state)
{
    static const struct {
        int year, month, day;
        bool valid;
    } table[] = {
        {1, 1, 1, true},      {0, 12, 31, false},   {9999, 12, 31, true}, {10000, 1, 1, false},
        {2024, 2, 29, true},  {2023, 2, 29, false}, {1900, 2, 29, false}, {2000, 2, 29, true},
        {2023, 4, 31, false}, {2023, 4, 30, true},  {2023, 0, 1, false},  {2023, 13, 1, false},
        {2023, 1, 0, false},  {2023, 1, 32, false}, {-1, 1, 1, false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (acd_date_valid(table[i].year, table[i].month, table[i].day) != table[i].valid)
            fail_msg("%d-%d-%d", table[i].year, table[i].month, table[i].day);
    }
}

static void test_utf8(void **state)
{
    static const struct {
        const char *text;
        bool valid;
    } table[] = {
        {"", true},
        {"plain ASCII that is longer than eight bytes", true},
        {"twelve bytes\xc3\xa9", true},
        {"\xe2\x82\xac", true},
        {"\xf0\x9f\x98\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\xed\x9f\xbf\xee\x80\x80", true},
        {"\x80", false},
        {"12345678\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xe0\x9f\xbf", false},
        {"\xed\xa0\x80", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"\xc3", false},
        {"\xe2\x82", false},
        {"\xf0\x9f\x98", false},
        {"\xe2\x28\xa1", false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (acd_utf8_valid(acd_slice_str(table[i].text)) != table[i].valid)
            fail_msg("row %zu should be %svalid", i, table[i].valid ? "" : "in");
    }
}

static void test_cut(void **state)
{
    struct acd_slice text = acd_slice_str("a\xc3\xa9\xf0\x9f\x98\x80z");
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 3, 7, 8, 8};

    for (size_t max = 0; max < sizeof(expected) / sizeof(expected[0]); max++)
        assert_int_equal(acd_utf8_cut(text, max), expected[max]);
}

static void test_control(void **state)
{
    static const struct {
        struct acd_slice text;
        bool plain;   /* holds a control character */
        bool relaxed; /* … where newline and tab are allowed */
    } table[] = {
        {ACD_LITERAL("fine \xc2\xa0 \xc3\x80"), false, false},
        {ACD_LITERAL("a\nb\tc"), true, false},
        {ACD_LITERAL("a\rb"), true, true},
        {ACD_LITERAL("a\0b"), true, true},
        {ACD_LITERAL("\x1f"), true, true},
        {ACD_LITERAL("\x7f"), true, true},
        {ACD_LITERAL("\xc2\x80"), true, true},
        {ACD_LITERAL("\xc2\x9f"), true, true},
        {ACD_LITERAL("\xc2"), false,
         false}, /* ends in the middle of a character: nothing is read beyond it */
        {ACD_LITERAL(""), false, false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (acd_text_has_control(table[i].text, false) != table[i].plain ||
            acd_text_has_control(table[i].text, true) != table[i].relaxed)
            fail_msg("row %zu", i);
    }
}

static void test_int_parse(void **state)
{
    static const struct {
        const char *text;
        bool valid;
        int64_t number;
    } table[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t number = 0;

        if (acd_int_parse(acd_slice_str(table[i].text), &number) != table[i].valid)
            fail_msg("'%s'", table[i].text);
        if (table[i].valid)
            assert_int_equal(number, table[i].number);
    }
}

static void test_hex(void **state)
{
    char text[7];

    acd_hex_format("\x00\xa5\xff", 3, text);
    assert_string_equal(text, "00a5ff");
}

static void test_value_integer(void **state)
{
    static const struct {
        struct acd_value value;
        bool valid;
        int64_t number;
    } table[] = {
        {{.kind = ACD_INT, .integer = -5}, true, -5},
        {{.kind = ACD_DOUBLE, .number = 3.0}, true, 3},
        {{.kind = ACD_DOUBLE, .number = -0x1p63}, true, INT64_MIN},
        {{.kind = ACD_DOUBLE, .number = 0x1p63}, false, 0},
        {{.kind = ACD_DOUBLE, .number = 1e300}, false, 0},
        {{.kind = ACD_DOUBLE, .number = -1e300}, false, 0},
        {{.kind = ACD_DOUBLE, .number = 3.5}, false, 0},
        {{.kind = ACD_BOOL, .boolean = true}, false, 0},
        {{.kind = ACD_STRING, .string = ACD_LITERAL("3")}, false, 0},
        {{.kind = ACD_NULL}, false, 0},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t number = 0;

        if (acd_value_integer(&table[i].value, &number) != table[i].valid)
            fail_msg("row %zu", i);
        if (table[i].valid)
            assert_int_equal(number, table[i].number);
    }
}

static void test_value_member(void **state)
{
    static const struct acd_member members[] = {{ACD_LITERAL("a"), {.kind = ACD_INT, .integer = 1}},
                                                {ACD_LITERAL("ab"), {.kind = ACD_NULL}}};
    struct acd_value value = {.kind = ACD_MAP, .count = 2, .members = members};

    assert_ptr_equal(acd_value_member(&value, "ab"), &members[1].value);
    assert_null(acd_value_member(&value, "b"));
    /* What is no map has no members, whatever else it holds. */
    value.kind = ACD_ARRAY;
    assert_null(acd_value_member(&value, "a"));
}

static void test_arena_alloc(void **state)
{
    struct acd_arena arena;
    size_t allocated;
    char *small;
    char *large;

    acd_arena_init(&arena);
    small = acd_arena_alloc(&arena, 1);
    large = acd_arena_alloc(&arena, 2 * ACD_ARENA_KEEP_BYTES);
    memset(large, 1, 2 * ACD_ARENA_KEEP_BYTES);
    assert_int_equal((uintptr_t)large % _Alignof(max_align_t), 0);
    allocated = arena.allocated;

    /* The large block has a chunk of its own: small ones go on where they were. */
    assert_ptr_equal(acd_arena_alloc(&arena, 1), small + _Alignof(max_align_t));
    assert_int_equal(arena.allocated, allocated);
    assert_non_null(acd_arena_alloc(&arena, 0));
    acd_arena_free(&arena);
    assert_int_equal(arena.allocated, 0);
}

static void test_arena_reset(void **state)
{
    struct acd_arena arena;
    const size_t sizes[] = {100, 70000, 5000000, 100, 1000000, ACD_ARENA_KEEP_BYTES, 4000000, 40};
    size_t kept;

    acd_arena_init(&arena);
    for (int batch = 0; batch < 20; batch++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            memset(acd_arena_alloc(&arena, sizes[i]), 0x5a, sizes[i]);
        acd_arena_reset(&arena);
        assert_int_equal(arena.allocated, 0);
        assert_in_range(arena.spare_bytes, 1, ACD_ARENA_KEEP_BYTES);
    }

    /* An ordinary batch finds its memory again, without asking the system. */
    acd_arena_free(&arena);
    for (int batch = 0; batch < 3; batch++) {
        kept = arena.spare_bytes;
        for (int i = 0; i < 30000; i++)
            memset(acd_arena_alloc(&arena, 1000), 0x5a, 1000);
        assert_true(batch == 0 || arena.allocated <= kept + 4096);
        acd_arena_reset(&arena);
        assert_in_range(arena.spare_bytes, 30000000, ACD_ARENA_KEEP_BYTES);
    }

    /* Small ones do without most of it before long. */
    for (int batch = 0; batch < 20; batch++) {
        acd_arena_alloc(&arena, 1000);
        acd_arena_reset(&arena);
    }
    assert_in_range(arena.spare_bytes, 1, 4 << 20);
    acd_arena_free(&arena);
}

static void test_arena_guard(void **state)
{
    struct acd_arena arena;
    jmp_buf point;
    volatile int jumps = 0;

    acd_arena_init(&arena);
    arena.guard = &point;
    if (setjmp(point) != 0)
        jumps++;
    /* Neither an impossible size nor a product that overflows comes back, nor what the system has not. */
    if (jumps == 0)
        acd_arena_alloc(&arena, SIZE_MAX);
    if (jumps == 1)
        acd_arena_calloc(&arena, SIZE_MAX / 2, 3);
    if (jumps == 2)
        acd_arena_alloc(&arena, SIZE_MAX / 4);
    assert_int_equal(jumps, 3);
    acd_arena_free(&arena);
}

/* Without a guard there is nobody who could go on. */
static void test_arena_without_guard(void **state)
{
    static const struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct acd_arena arena;

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        acd_arena_init(&arena);
        acd_arena_alloc(&arena, SIZE_MAX);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void test_arena_text(void **state)
{
    struct acd_arena arena;
    struct acd_slice text;

    acd_arena_init(&arena);
    text = acd_arena_copy(&arena, acd_slice("a\0b", 3));
    assert_memory_equal(text.data, "a\0b", 4);
    assert_int_equal(text.len, 3);
    text = acd_arena_format(&arena, "%d-%s", 7, "x");
    assert_string_equal(text.data, "7-x");
    text = acd_arena_format(&arena, "%0300d", 5);
    assert_int_equal(text.len, 300);
    assert_int_equal(strlen(text.data), 300);
    text = acd_arena_format(&arena, "%0256d", 5);
    assert_int_equal(strlen(text.data), 256);
    acd_arena_free(&arena);
}

static void test_buffer(void **state)
{
    struct acd_arena arena;
    struct acd_buffer buffer;

    acd_arena_init(&arena);
    acd_buffer_init(&buffer, &arena, 0);
    acd_buffer_add_int(&buffer, INT64_MIN);
    acd_buffer_add_char(&buffer, ' ');
    acd_buffer_add_int(&buffer, 0);
    acd_buffer_add_str(&buffer, " ");
    acd_buffer_add_int(&buffer, INT64_MAX);
    acd_buffer_add_slice(&buffer, acd_slice(NULL, 0));
    assert_true(acd_slice_is(acd_buffer_slice(&buffer), "-9223372036854775808 0 9223372036854775807"));

    buffer.len = 0;
    for (int i = 0; i < 100000; i++)
        acd_buffer_add(&buffer, "0123456789", 10);
    assert_int_equal(buffer.len, 1000000);
    for (size_t i = 0; i < buffer.len; i++)
        assert_int_equal(buffer.data[i], '0' + i % 10);
    acd_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),       cmocka_unit_test(test_dates),
        cmocka_unit_test(test_utf8),        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_control),     cmocka_unit_test(test_int_parse),
        cmocka_unit_test(test_hex),         cmocka_unit_test(test_value_integer),
        cmocka_unit_test(test_arena_alloc), cmocka_unit_test(test_arena_reset),
        cmocka_unit_test(test_arena_guard), cmocka_unit_test(test_arena_without_guard),
        cmocka_unit_test(test_arena_text),  cmocka_unit_test(test_value_member),
        cmocka_unit_test(test_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
