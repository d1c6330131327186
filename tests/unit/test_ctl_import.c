/* What an import makes of a file: records and entries; no Kafka, no disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "accountd/buffer.h"

#include "../../src/ctl/import/csv.h"
#include "../../src/ctl/import/frame.h"
#include "../../src/ctl/import/source.h"
#include "../../src/ctl/suffix.h"

/* A file, and what it comes to: for each record a line "NUMBER ENTRY" or "NUMBER CODE FIELD", where the app's
 * name is app; at last why it breaks off. */
struct row {
    const char *input;
    const char *outcome;
    size_t len; /* of an input that holds NULs; 0: it does not */
};

struct reading {
    struct acd_arena arena;
    struct acd_ctl_frame *frame;
    struct acd_ctl_csv csv;
    struct acd_buffer text;
    bool header;
};

static void add_record(struct reading *reading)
{
    struct acd_ctl_frame *frame = reading->frame;
    struct acd_slice record = acd_ctl_frame_record(frame);
    struct acd_slice app = acd_slice_str("app");
    struct acd_ctl_entry entry;

    if (frame->format == ACD_CSV && !reading->header) {
        const char *wrong = acd_ctl_csv_header(&reading->csv, &reading->arena, record);

        reading->header = true;
        if (wrong)
            acd_buffer_add_str(&reading->text, wrong);
        return;
    }
    acd_buffer_add_int(&reading->text, frame->number);
    if (frame->overlong) {
        acd_buffer_add_str(&reading->text, " overlong\n");
        return;
    }
    if (frame->format == ACD_CSV)
        acd_ctl_csv_row(&reading->csv, &reading->arena, app, record, &entry);
    else
        acd_ctl_entry_decode(&reading->arena, app, frame->format, record, &entry);
    acd_buffer_add_char(&reading->text, ' ');
    if (entry.refusal.code == ACD_OK) {
        acd_buffer_add_slice(&reading->text, entry.json);
    } else {
        assert_true(entry.refusal.message.len > 0);
        acd_buffer_add_str(&reading->text, acd_code_text(entry.refusal.code));
        acd_buffer_add_char(&reading->text, ' ');
        acd_buffer_add_slice(&reading->text, entry.refusal.field);
    }
    acd_buffer_add_char(&reading->text, '\n');
}

/* Feeds a file in pieces. */
static void read_file(struct reading *reading, enum acd_format format, struct acd_slice file, size_t piece)
{
    bool complete;

    acd_arena_init(&reading->arena);
    acd_buffer_init(&reading->text, &reading->arena, 64);
    reading->header = false;
    reading->frame = malloc(sizeof(*reading->frame));
    assert_non_null(reading->frame);
    acd_ctl_frame_init(reading->frame, format);
    while (file.len && !reading->frame->broken) {
        size_t used = acd_ctl_frame_feed(
            reading->frame, acd_slice(file.data, file.len < piece ? file.len : piece), &complete);

        if (complete)
            add_record(reading);
        file = acd_slice(file.data + used, file.len - used);
    }
    if (!reading->frame->broken && acd_ctl_frame_end(reading->frame))
        add_record(reading);
    if (reading->frame->broken)
        acd_buffer_add_str(&reading->text, reading->frame->broken);
    acd_buffer_add_char(&reading->text, '\0');
}

static void end_reading(struct reading *reading)
{
    free(reading->frame);
    acd_arena_free(&reading->arena);
}

static void check_rows(enum acd_format format, const struct row *rows, size_t count)
{
    static const size_t pieces[] = {1, 3, 1 << 20};

    for (size_t i = 0; i < count; i++) {
        struct acd_slice file = acd_slice(rows[i].input, rows[i].len ? rows[i].len : strlen(rows[i].input));

        for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
            struct reading reading;

            read_file(&reading, format, file, pieces[j]);
            if (strcmp(reading.text.data, rows[i].outcome) != 0)
                fail_msg("%s, by %zu bytes:\n%s\nand not\n%s", rows[i].input, pieces[j], reading.text.data,
                         rows[i].outcome);
            end_reading(&reading);
        }
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof(*(rows)))
#define A           "{\"account\":\"a\"}"

static void test_ndjson(void **state)
{
    static const struct row rows[] = {
        {"", "", 0},
        {A, "1 " A "\n", 0},
        {"\n\r\n  \n" A "\r\n\n" A "\n", "4 " A "\n6 " A "\n", 0},
        {"{\"account\":\"a\"\n}\n", "1 malformed \n2 malformed \n", 0},
        {"[]\n1\nnull\n" A A "\n", "1 malformed \n2 malformed \n3 malformed \n4 malformed \n", 0},
        {"{\"account\":\"a\",\"app\":1,\"revision\":[],\"created_at\":\"\",\"updated_at\":{},\"rejected\":0}",
         "1 " A "\n", 0},
        {"{\"account\":\"a\",\"account\":\"b\"}", "1 malformed \n", 0},
        {"{\"account\":\"a\",\"op\":\"delete\"}", "1 unknown_field op\n", 0},
        {"{\"account\":\"a\",\"op\":null,\"accounts\":null}", "1 " A "\n", 0},
        {"{\"accounts\":[\"a\"]}", "1 missing_field account\n", 0},
        {"{\"account\":\"a\",\"on_exists\":\"skip\",\"profile\":1}", "1 unknown_field on_exists\n", 0},
        {"{\"account\":\"\"}", "1 invalid_field account\n", 0},
        {"{\"account\":\"a\",\"type\":\"root\"}", "1 invalid_field type\n", 0},
        {"{\"account\":\"a\",\"type\":\"admin\",\"profile\":{}}",
         "1 {\"account\":\"a\",\"type\":\"admin\",\"profile\":{}}\n", 0},
        {"{\"profile\":{\"custom\":{\"b\":\"2\",\"a\":null},\"level\":3.0,\"nickname\":\"\",\"role\":null},"
         "\"account\":\"a\"}",
         "1 {\"account\":\"a\",\"profile\":{\"nickname\":null,\"level\":3,\"role\":null,"
         "\"custom\":{\"a\":\"\",\"b\":\"2\"}}}\n",
         0},
        {"{\"account\":\"a\",\"profile\":{\"custom\":null}}",
         "1 {\"account\":\"a\",\"profile\":{\"custom\":null}}\n", 0},
        {"{\"account\":\"a\",\"profile\":{\"custom\":{\"toolongname\":\"\"}}}",
         "1 invalid_field profile.custom.toolongname\n", 0},
        {"{\"account\":\"a\",\"profile\":{\"signature\":\"\\ud83c\\udf89\\n\\u00e9\\\"\"}}",
         "1 {\"account\":\"a\",\"profile\":{\"signature\":\"🎉\\né\\\"\"}}\n", 0},
        {"{\"account\":\"a\0\"}", "1 malformed \n", 15},
    };

    check_rows(ACD_NDJSON, rows, COUNT(rows));
}

static void test_json(void **state)
{
    static const struct row rows[] = {
        {"", "", 0},
        {" [ ] \n", "", 0},
        {"[" A "]", "1 " A "\n", 0},
        {"[\n" A ",\n" A "\n]\n", "1 " A "\n2 " A "\n", 0},
        {"[1,\"]\",[2,{}],\"\\\"\", " A "]",
         "1 malformed \n2 malformed \n3 malformed \n4 malformed \n5 " A "\n", 0},
        {"[nul,{]}," A "]", "1 malformed \n2 malformed \na comma or the end of the array is expected", 0},
        {A "\n" A A, "1 " A "\n2 " A "\n3 " A "\n", 0},
        {"{\n\"account\":\n\"a\"\n}", "1 " A "\n", 0},
        {"[" A, "1 " A "\nthe array is not closed", 0},
        {"[" A ",]", "1 " A "\na record is expected", 0},
        {"[" A A "]", "1 " A "\na comma or the end of the array is expected", 0},
        {"[" A "]]", "1 " A "\nsomething follows the end of the array", 0},
        {A "," A, "1 " A "\na record is expected", 0},
        {"{\"account\":\"a", "the file ends within a record", 0},
        {"[,", "a record is expected", 0},
    };

    check_rows(ACD_JSON, rows, COUNT(rows));
}

static void test_csv(void **state)
{
    static const struct row rows[] = {
        {"", "", 0},
        {"account", "", 0},
        {"account\na\n", "2 " A "\n", 0},
        {"account\r\n\r\na\r\n\"a\"\r\n", "3 " A "\n4 " A "\n", 0},
        {"Account , TYPE,What's up\na,,\n", "2 " A "\n", 0},
        {"account,signature\na,\"x\ny\"\nb,\"\"\"\"\nc,x\"y\"\n",
         "2 {\"account\":\"a\",\"profile\":{\"signature\":\"x\\ny\"}}\n"
         "4 {\"account\":\"b\",\"profile\":{\"signature\":\"\\\"\"}}\n"
         "5 {\"account\":\"c\",\"profile\":{\"signature\":\"x\\\"y\\\"\"}}\n",
         0},
        /* The quote of an export comes off, and no other. */
        {"account,nickname\na,'=1\na,''b\na,'b\na,'\na,=1\na,'@\n",
         "2 {\"account\":\"a\",\"profile\":{\"nickname\":\"=1\"}}\n"
         "3 {\"account\":\"a\",\"profile\":{\"nickname\":\"'b\"}}\n"
         "4 {\"account\":\"a\",\"profile\":{\"nickname\":\"'b\"}}\n"
         "5 {\"account\":\"a\",\"profile\":{\"nickname\":\"'\"}}\n"
         "6 {\"account\":\"a\",\"profile\":{\"nickname\":\"=1\"}}\n"
         "7 {\"account\":\"a\",\"profile\":{\"nickname\":\"@\"}}\n",
         0},
        {"account,signature\na,\"'\n\"\n", "2 {\"account\":\"a\",\"profile\":{\"signature\":\"\\n\"}}\n", 0},
        {"account,level\na,7\na,-1\na,x\na,4294967296\n",
         "2 {\"account\":\"a\",\"profile\":{\"level\":7}}\n3 invalid_field profile.level\n"
         "4 invalid_field profile.level\n5 invalid_field profile.level\n",
         0},
        {"account,custom,custom.b\na,\"{\"\"a\"\":\"\"1\"\"}\",2\na,,3\na,{,\na,\"{\"\"b\"\":null}\",1\na,[],"
         "\n",
         "2 {\"account\":\"a\",\"profile\":{\"custom\":{\"a\":\"1\",\"b\":\"2\"}}}\n"
         "3 {\"account\":\"a\",\"profile\":{\"custom\":{\"b\":\"3\"}}}\n4 malformed profile.custom\n"
         "5 malformed profile.custom\n6 malformed profile.custom\n",
         0},
        {"account,custom.app,app,rejected_line\na,1,2,3\n",
         "2 {\"account\":\"a\",\"profile\":{\"custom\":{\"app\":\"1\"}}}\n", 0},
        {"account,level\na\na,1,2\n,1\n\"a\"x,1\na,\"1\n",
         "2 " A "\n3 malformed \n4 missing_field account\n5 malformed \n6 overlong\n", 0},
        {"account\n\xff\n\xc0\n", "2 malformed \n3 malformed \n", 0},
        {"name\n",
         "column \"name\" is no field (columns are separated by commas, and the first row names them)", 0},
        {"account,ACCOUNT\n", "column \"ACCOUNT\" is there twice", 0},
        {"account,custom.a,custom.a\n", "column \"custom.a\" is there twice", 0},
        {"level\n", "the first row names no column account", 0},
        {"\"account\"x\n", "the first row is no CSV in UTF-8", 0},
    };

    check_rows(ACD_CSV, rows, COUNT(rows));
}

static void test_msgpack(void **state)
{
    static const struct row rows[] = {
        {"\x81\xa7"
         "account\xa1"
         "a",
         "1 " A "\n", 0},
        {"\x81\xa7"
         "account\xa1"
         "a\x81\xa7"
         "account\xd9\x01"
         "a",
         "1 " A "\n2 " A "\n", 0},
        {"\xde\x00\x01\xa7"
         "account\xa1"
         "a\x01\xc0\x90\xdd\x00\x00\x00\x01\xcb\x00\x00\x00\x00\x00\x00\x00\x00"
         "\xd8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc7\x01\x00\x00"
         "\x81\xa7"
         "account\xc4\x01"
         "a",
         "1 " A "\n2 malformed \n3 malformed \n4 malformed \n5 malformed \n6 malformed \n7 malformed \n"
         "8 invalid_field account\n",
         64},
        {"\x81", "the file ends within a record", 0},
        {"\xdf\xff\xff\xff\xff\x01", "the file ends within a record", 0},
        {"\xc1", "1 malformed \n", 0},
    };

    check_rows(ACD_MSGPACK, rows, COUNT(rows));
}

static void test_long_records(void **state)
{
    static const struct {
        enum acd_format format;
        const char *begin;
        const char *end;
        const char *outcome;
    } rows[] = {
        {ACD_NDJSON, "{\"account\":\"", "\n" A, "1 overlong\n2 " A "\n"},
        {ACD_NDJSON, "[", "\n" A, "1 overlong\n2 " A "\n"},
        {ACD_CSV, "account\n\"a\n", "\"\na\n", "2 overlong\n4 " A "\n"},
        {ACD_CSV, "account\n\"a\n", "\na\n", "2 overlong\n"},
        {ACD_JSON, "[\"", "\"," A "]", "1 overlong\n2 " A "\n"},
        {ACD_MSGPACK, "\xdb\x00\x0f\x42\x40",
         "\x81\xa7"
         "account\xa1"
         "a",
         "1 overlong\n2 " A "\n"},
    };
    size_t filling = 1000000;

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t begin = rows[i].format == ACD_MSGPACK ? 5 : strlen(rows[i].begin);
        size_t end = strlen(rows[i].end);
        char *file = malloc(begin + filling + end);
        struct reading reading;

        assert_non_null(file);
        memcpy(file, rows[i].begin, begin);
        memset(file + begin, rows[i].begin[0] == '[' && rows[i].format == ACD_NDJSON ? '[' : 'x', filling);
        memcpy(file + begin + filling, rows[i].end, end);
        read_file(&reading, rows[i].format, acd_slice(file, begin + filling + end), 4096);
        assert_string_equal(reading.text.data, rows[i].outcome);
        end_reading(&reading);
        free(file);
    }
}

static void test_formats(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        enum acd_format format;
        bool named;
    } rows[] = {
        {"a.csv", "", ACD_CSV, true},
        {"a.CSV.gz", "", ACD_CSV, true},
        {"a.jsonl.zst", "", ACD_NDJSON, true},
        {"dir.csv/a.json", "", ACD_JSON, true},
        {"a.mpk", "", ACD_MSGPACK, true},
        {"csv", "account\n", ACD_CSV, false},
        {"a.gz", " \n{", ACD_NDJSON, false},
        {"-", "\xef\xbb\xbf [", ACD_JSON, false},
        {"a.txt", "\x83", ACD_MSGPACK, false},
        {".csv", "\xde", ACD_MSGPACK, false},
        {"a.csv.bak", "", ACD_NDJSON, false},
        {"",
         "\xef\xbb\xbf"
         "account",
         ACD_CSV, false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        enum acd_format format = acd_ctl_format_of_bytes(acd_slice_str(rows[i].bytes));
        struct acd_ctl_suffix suffix = acd_ctl_suffix_of(rows[i].name);
        bool named = suffix.has_format;

        format = named ? suffix.format : format;
        if (named != rows[i].named || format != rows[i].format)
            fail_msg("%s: %d %s", rows[i].name, named, acd_format_text(format));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ndjson),  cmocka_unit_test(test_json),         cmocka_unit_test(test_csv),
        cmocka_unit_test(test_msgpack), cmocka_unit_test(test_long_records), cmocka_unit_test(test_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
