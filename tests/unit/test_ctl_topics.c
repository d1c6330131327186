/* What accountctl dlq and tail make of what they read: times, positions, kinds of records, filters, lines. */
#include "../../src/ctl/bytes.h"
#include "../../src/ctl/moment.h"
#include "../../src/ctl/topics/dlq.h"
#include "../../src/ctl/topics/letter.h"
#include "../../src/ctl/topics/tail_line.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accountd/dead_letter.h"
#include "accountd/text.h"

#define NOW_MS      INT64_C(1795455000123)
#define HEADERS_MAX 8

static void test_moments(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } table[] = {
        {"90s", NOW_MS - 90000},
        {"15m", NOW_MS - 900000},
        {"2h", NOW_MS - 7200000},
        {"7d", NOW_MS - 604800000},
        {"0s", NOW_MS},
        {"36000d", 0},
        {"2026-11-22", INT64_C(1795305600000)},
        {"2026-11-22T20:09", INT64_C(1795378140000)},
        {"2026-11-22 20:09", INT64_C(1795378140000)},
        {"2026-11-22T20:09:08", INT64_C(1795378148000)},
        {"2026-11-22T20:09:08Z", INT64_C(1795378148000)},
        {"2026-11-22T20:09:08.123", INT64_C(1795378148123)},
        {"2026-11-22T20:09:08.123Z", INT64_C(1795378148123)},
        {"", -1},
        {"s", -1},
        {"15", -1},
        {"-15m", -1},
        {"1.5h", -1},
        {"1w", -1},
        {"9223372036854775807d", -1},
        {"99999999999s", -1},
        {"now", -1},
        {"2026-11", -1},
        {"2026-02-29", -1},
        {"2026-11-22X20:09", -1},
        {"2026-11-22T25:09", -1},
        {"2026-11-22T20:09:08+01:00", -1},
        {"2026-11-22T20:09:08.123ZZ", -1},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        int64_t ms = -1;

        if (!acd_ctl_moment_read(table[i].text, NOW_MS, &ms))
            ms = -1;
        if (ms != table[i].ms)
            fail_msg("%s: %" PRId64 ", not %" PRId64, table[i].text, ms, table[i].ms);
    }
}

static void test_positions(void **state)
{
    static const char *const wrong[] = {
        "", ":", "1", "1:", ":1", "1:x", "-1:1", "1:-1", "2147483648:1", "1:2:3", "1:9223372036854775808"};
    struct acd_ctl_position position;

    assert_true(acd_ctl_position_read("2147483647:9223372036854775807", &position));
    assert_int_equal(position.partition, INT32_MAX);
    assert_int_equal(position.offset, INT64_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (acd_ctl_position_read(wrong[i], &position))
            fail_msg("read: %s", wrong[i]);
}

/* "NAME=VALUE NAME" as headers; a name alone has a null value. */
static uint32_t read_headers(char *text, struct acd_header headers[HEADERS_MAX])
{
    uint32_t count = 0;

    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *equals = strchr(word, '=');

        assert_true(count < HEADERS_MAX);
        headers[count++] =
            (struct acd_header){acd_slice(word, equals ? (size_t)(equals - word) : strlen(word)),
                                acd_slice_str(equals ? equals + 1 : NULL)};
    }
    return count;
}

static void test_letters(void **state)
{
    static const struct {
        const char *headers;
        const char *value; /* NULL: null */
        enum acd_ctl_letter_kind kind;
        int64_t replayed;
        bool cut;
    } table[] = {
        {"accountd-error-code=malformed __dlq.errors.offset=7", "x", ACD_CTL_LETTER, 0, false},
        {"accountd-error-code=malformed", NULL, ACD_CTL_LETTER, 0, false},
        {"accountd-replayed=17", NULL, ACD_CTL_LETTER_NOTE, 17, false},
        /* A producer may send what looks like a note; as a dead letter it stays one. */
        {"accountd-replayed=17 accountd-error-code=malformed", NULL, ACD_CTL_LETTER, 0, false},
        {"accountd-replayed=17", "x", ACD_CTL_LETTER_OTHER, 0, false},
        {"accountd-replayed=17 more=1", NULL, ACD_CTL_LETTER_OTHER, 0, false},
        {"accountd-replayed=all", NULL, ACD_CTL_LETTER_OTHER, 0, false},
        {"accountd-replayed", NULL, ACD_CTL_LETTER_OTHER, 0, false},
        {"", "x", ACD_CTL_LETTER_OTHER, 0, false},
        {"accountd-error-code=malformed accountd-cut=9", "x", ACD_CTL_LETTER, 0, true},
        {"accountd-error-code=malformed accountd-cut-key=9", "x", ACD_CTL_LETTER, 0, true},
        {"accountd-error-code=malformed accountd-cut-headers=all", "x", ACD_CTL_LETTER, 0, true},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char *text = strdup(table[i].headers);
        struct acd_header headers[HEADERS_MAX];
        struct acd_ctl_letter letter = {.headers = headers, .value = acd_slice_str(table[i].value)};

        letter.header_count = read_headers(text, headers);
        acd_ctl_letter_sort(&letter);
        if (letter.kind != table[i].kind || acd_ctl_letter_is_cut(&letter) != table[i].cut ||
            (letter.kind == ACD_CTL_LETTER_NOTE && letter.replayed != table[i].replayed))
            fail_msg("%s: kind %d, cut %d, replayed %" PRId64, table[i].headers, letter.kind,
                     acd_ctl_letter_is_cut(&letter), letter.replayed);
        free(text);
    }
}

static void test_names_of_dead_letters(void **state)
{
    static const char *const added[] = {"__dlq.errors.topic",  "__dlq.errors.delivery.count",
                                        "accountd-error-code", "accountd-cut",
                                        "accountd-cut-key",    "accountd-cut-headers"};
    static const char *const kept[] = {"",
                                       "__dlq.errors",
                                       "accountd-cutlery",
                                       "accountd-error-codes",
                                       "accountd-key-id",
                                       "x__dlq.errors.topic"};

    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        assert_true(acd_dead_letter_adds(acd_slice_str(added[i])));
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        assert_false(acd_dead_letter_adds(acd_slice_str(kept[i])));
}

/* JSON in which ' stands for ". */
static json_t *json_of(const char *text)
{
    char *copy = strdup(text);
    json_t *json;

    for (char *quote = strchr(copy, '\''); quote; quote = strchr(quote, '\''))
        *quote = '"';
    json = json_loads(copy, 0, NULL);
    free(copy);
    return json;
}

static void test_filters_of_replies(void **state)
{
    static const char one[] = "{'app':'demo','op':'get','account':'a','id':'c','status':'error',"
                              "'error':{'code':'account_not_found'}}";
    static const char more[] = "{'app':'demo','op':'get','id':'c','status':'partial','results':["
                               "{'account':'a','status':'ok'},"
                               "{'account':'b','status':'error','error':{'code':'account_not_found'}}]}";
    static const struct {
        struct acd_ctl_filter filter;
        const char *reply;
        bool wanted;
    } table[] = {
        {{0}, one, true},
        {{0}, NULL, true},
        {{.app = "", .op = ""}, NULL, true},
        {{.app = "demo"}, NULL, false},
        {{.app = "demo"}, one, true},
        {{.app = "dem"}, one, false},
        {{.op = "get"}, one, true},
        {{.op = "list"}, one, false},
        {{.id = "c"}, more, true},
        {{.id = "d"}, more, false},
        {{.account = "a"}, one, true},
        {{.account = "b"}, one, false},
        {{.account = "b"}, more, true},
        {{.account = "c"}, more, false},
        {{.code = "account_not_found"}, one, true},
        {{.code = "account_not_found"}, more, true},
        {{.code = "malformed"}, more, false},
        {{.app = "demo", .account = "a", .op = "get", .code = "account_not_found", .id = "c"}, one, true},
        {{.app = "demo", .account = "a", .op = "get", .code = "account_not_found", .id = "d"}, one, false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *reply = table[i].reply ? json_of(table[i].reply) : NULL;

        if (acd_ctl_filter_reply(&table[i].filter, reply) != table[i].wanted)
            fail_msg("row %zu", i);
        json_decref(reply);
    }
}

static void test_filters_of_changes(void **state)
{
    static const struct {
        struct acd_ctl_filter filter;
        const char *key;
        bool wanted;
    } table[] = {
        {{0}, "demo/a", true},
        {{0}, NULL, true},
        {{.app = "demo"}, "demo/a", true},
        {{.app = "demo"}, "demo", true},
        {{.app = "demo"}, "demos/a", false},
        {{.app = "demo"}, NULL, false},
        {{.app = "accountd"}, "accountd:export/7", false},
        {{.account = "a"}, "demo/a", true},
        {{.account = "a"}, "demo/ab", false},
        {{.account = "a"}, "a", false},
        {{.app = "demo", .account = "b"}, "demo/a", false},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (acd_ctl_filter_change(&table[i].filter, acd_slice_str(table[i].key)) != table[i].wanted)
            fail_msg("row %zu", i);
}

/* What a function writes; the caller frees it. */
struct written {
    char *text;
    size_t len;
    FILE *file;
};

static FILE *write_begin(struct written *written)
{
    written->file = open_memstream(&written->text, &written->len);
    assert_non_null(written->file);
    return written->file;
}

static void write_end(struct written *written, const char *expected)
{
    (void)fclose(written->file);
    assert_string_equal(written->text, expected);
    free(written->text);
}

static void test_lines_of_replies(void **state)
{
    static const struct {
        const char *reply;
        const char *line;
    } table[] = {
        {"{'v':1,'id':'c-1','op':'create','app':'demo','account':'a','status':'ok','revision':1,'changed':"
         "true,"
         "'source':{'topic':'t','partition':0,'offset':42}}",
         "ok create demo/a revision=1 id=c-1 source=t:0:42"},
        {"{'id':'t:0:7','status':'error','error':{'code':'malformed','message':'it\\u001bis'},"
         "'source':{'topic':'t','partition':0,'offset':7}}",
         "error code=malformed id=t:0:7 source=t:0:7 message=it\\x1bis"},
        {"{'status':'partial','op':'get','app':'demo','counts':{'ok':1,'error':2}}",
         "partial get demo ok=1 error=2"},
        {"{'status':7}", "other hex:ff"},
        {"{'status':'ok','source':'x','counts':[],'error':3}", "ok"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *reply = json_of(table[i].reply);
        struct written written;

        assert_non_null(reply);
        acd_ctl_reply_line(write_begin(&written), acd_slice_str("\xff"), reply);
        write_end(&written, table[i].line);
        json_decref(reply);
    }
}

static void test_changes(void **state)
{
    static const struct {
        const char *key;
        const char *value; /* NULL: null */
        const char *line;
    } table[] = {
        {"demo/a", "{'app':'demo','account':'a','type':'admin','revision':3}",
         "set demo/a type=admin revision=3"},
        {"demo/a", "{'app':'demo','account':'a','deleted':true,'revision':4}", "deleted demo/a revision=4"},
        {"demo/a", NULL, "tombstone demo/a"},
        {"accountd:export/7", NULL, "accountd accountd:export/7"},
        {"accountd:export/7", "{'app':'demo','account':'a'}", "accountd accountd:export/7"},
        {"accountd", "[]", "other accountd"},
        {"\x1b[2J", "{}", "other \\x1b[2J"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *body = table[i].value ? json_of(table[i].value) : NULL;
        struct acd_slice key = acd_slice_str(table[i].key);
        struct written written;

        acd_ctl_change_line(write_begin(&written),
                            acd_ctl_change_kind(key, acd_slice_str(table[i].value), body), key, body);
        write_end(&written, table[i].line);
        json_decref(body);
    }
}

static void test_bytes(void **state)
{
    static const struct {
        struct acd_slice bytes;
        const char *json;
        const char *shown;
    } table[] = {
        {{NULL, 0}, "{\"x\":null}\n", "null"},
        {{"", 0}, "{\"x\":\"\"}\n", ""},
        {{"a\0b", 3}, "{\"x\":\"a\\u0000b\"}\n", "a\\x00b"},
        {{"\xc2\x9b\x1b", 3}, "{\"x\":\"\\u009b\\u001B\"}\n", "\\u009b\\x1b"},
        {{"\xff", 1}, "{\"x_base64\":\"/w==\"}\n", "hex:ff"},
        {{"\x00\xff\x10\x80", 4}, "{\"x_base64\":\"AP8QgA==\"}\n", "hex:00ff1080"},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *object = json_object();
        struct written written;

        assert_int_equal(acd_ctl_put_bytes(object, "x", table[i].bytes), 0);
        assert_int_equal(acd_ctl_json_line(write_begin(&written), object), 0);
        write_end(&written, table[i].json);
        acd_ctl_show_bytes(write_begin(&written), table[i].bytes);
        write_end(&written, table[i].shown);
    }
}

static void test_hex_dump(void **state)
{
    struct written written;

    acd_ctl_hex_dump(write_begin(&written), acd_slice("0123456789abcdef\x1b\xff", 18));
    write_end(&written, "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n"
                        "00000010  1b ff                                             |..|\n");
}

static void test_bodies(void **state)
{
    static const struct {
        struct acd_slice value;
        const char *json; /* NULL: none */
    } table[] = {
        {ACD_LITERAL("{\"a\":[1,true,null,\"\\u0000\",{\"b\":2.5}]}"),
         "{\"a\":[1,true,null,\"\\u0000\",{\"b\":2.5}]}\n"},
        {ACD_LITERAL("\x81\xa1"
                     "a\x93\x01\xc0\xa1x"),
         "{\"a\":[1,null,\"x\"]}\n"},
        {ACD_LITERAL("[]"), NULL},
        {ACD_LITERAL(""), NULL},
        {ACD_LITERAL("\xff"), NULL},
    };
    struct acd_arena arena;

    acd_arena_init(&arena);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        json_t *body = acd_ctl_body(&arena, acd_slice(NULL, 0), table[i].value);
        struct written written;

        assert_int_equal(body != NULL, table[i].json != NULL);
        if (!body)
            continue;
        assert_int_equal(acd_ctl_json_line(write_begin(&written), body), 0);
        write_end(&written, table[i].json);
    }
    acd_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_letters),
        cmocka_unit_test(test_names_of_dead_letters),
        cmocka_unit_test(test_filters_of_replies),
        cmocka_unit_test(test_filters_of_changes),
        cmocka_unit_test(test_lines_of_replies),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_hex_dump),
        cmocka_unit_test(test_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
