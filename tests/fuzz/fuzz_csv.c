/* Files of exports: what the CSV holds is read back, cell by cell, by a strict reader of RFC 4180, and no
 * cell looks like a formula; the other formats hold records that can be read.
 *
 * The input: the format, the columns, the number of records; for each its name, how many fields it has, how
 * many custom ones, and then these. */
#include "accountd/codec.h"
#include "accountd/export.h"
#include "accountd/text.h"
#include "fuzz.h"

#define RECORDS_MAX 4

struct record {
    struct acd_account account;
    struct acd_custom custom[ACD_CUSTOM_MAX];
};

/* ---- Making records */

/* Bytes that are no UTF-8 become letters; a record's texts hold no NUL. */
static struct acd_slice text_of(struct fuzz_input *input, struct acd_arena *arena)
{
    struct acd_slice raw = fuzz_slice(input, arena);
    char *text = acd_arena_alloc(arena, raw.len);
    bool valid = acd_utf8_valid(raw);

    for (size_t i = 0; i < raw.len; i++)
        text[i] = !raw.data[i] || (!valid && (unsigned char)raw.data[i] >= 0x80) ? 'x' : raw.data[i];
    return acd_slice(text, raw.len);
}

static void read_record(struct fuzz_input *input, struct acd_arena *arena, struct record *out)
{
    uint32_t fields = fuzz_below(input, ACD_FIELD_COUNT + 1);
    uint32_t customs = fuzz_below(input, ACD_CUSTOM_MAX + 1);

    *out = (struct record){.account = {.exists = true,
                                       .type = customs & 1 ? ACD_ADMIN : ACD_GENERAL,
                                       .revision = fields + 1,
                                       .created_at_ms = INT64_C(1700000000000) * (fields & 1),
                                       .updated_at_ms = ACD_TIME_MAX_MS}};
    for (uint32_t f = 0; f < fields; f++)
        out->account.fields[f] = text_of(input, arena);
    for (uint32_t i = 0; i < customs; i++) {
        out->custom[i].tag = acd_arena_format(arena, "%c", 'a' + (int)i);
        out->custom[i].value = text_of(input, arena);
    }
    out->account.custom = out->custom;
    out->account.custom_count = customs;
}

/* ---- A strict reader of CSV */

struct reader {
    struct acd_slice rest;
};

static bool at(const struct reader *reader, const char *what)
{
    size_t len = strlen(what);

    return reader->rest.len >= len && memcmp(reader->rest.data, what, len) == 0;
}

static bool take(struct reader *reader, const char *what)
{
    if (!at(reader, what))
        return false;
    reader->rest = acd_slice(reader->rest.data + strlen(what), reader->rest.len - strlen(what));
    return true;
}

static struct acd_slice read_cell(struct reader *reader, struct acd_arena *arena)
{
    bool quoted = take(reader, "\"");
    struct acd_buffer cell;

    acd_buffer_init(&cell, arena, 64);
    while (reader->rest.len) {
        if (quoted ? at(reader, "\"") && !at(reader, "\"\"") : at(reader, ",") || at(reader, "\r\n"))
            break;
        FUZZ_CHECK(quoted || !strchr("\"\r\n", reader->rest.data[0]),
                   "a bare quote or end of line in a cell");
        if (quoted && at(reader, "\""))
            take(reader, "\"");
        acd_buffer_add_char(&cell, reader->rest.data[0]);
        reader->rest = acd_slice(reader->rest.data + 1, reader->rest.len - 1);
    }
    FUZZ_CHECK(!quoted || take(reader, "\""), "a quoted cell without an end");
    return acd_buffer_slice(&cell);
}

/* ---- Checking */

static struct acd_slice number_text(struct acd_arena *arena, int64_t number)
{
    return acd_arena_format(arena, "%lld", (long long)number);
}

static struct acd_slice time_text(struct acd_arena *arena, int64_t ms)
{
    char text[ACD_TIME_BYTES];

    acd_time_format(ms, text);
    return acd_arena_copy(arena, acd_slice_str(text));
}

static void check_custom(struct acd_arena *arena, struct acd_slice cell, const struct acd_account *account)
{
    struct acd_value map;

    if (account->custom_count == 0) {
        FUZZ_CHECK(cell.len == 0, "custom fields of an account that has none: %.*s", ACD_SLICE_ARGS(cell));
        return;
    }
    FUZZ_CHECK(!acd_codec_decode(ACD_ENCODING_JSON, cell, arena, &map), "no JSON: %.*s",
               ACD_SLICE_ARGS(cell));
    FUZZ_CHECK(map.count == account->custom_count, "%u custom fields", map.count);
    for (uint32_t i = 0; i < map.count; i++)
        FUZZ_CHECK(acd_slice_equal(map.members[i].key, account->custom[i].tag) &&
                       acd_slice_equal(map.members[i].value.string, account->custom[i].value),
                   "another custom field: %.*s", ACD_SLICE_ARGS(cell));
}

static struct acd_slice expected(struct acd_arena *arena, const struct acd_command *command,
                                 const struct acd_outcome *outcome, enum acd_column column)
{
    const struct acd_account *account = outcome->record;

    switch (column) {
    case ACD_COLUMN_APP:
        return command->app;
    case ACD_COLUMN_ACCOUNT:
        return outcome->account;
    case ACD_COLUMN_TYPE:
        return acd_slice_str(account->type == ACD_ADMIN ? "admin" : "general");
    case ACD_COLUMN_REVISION:
        return number_text(arena, account->revision);
    case ACD_COLUMN_CREATED_AT:
        return time_text(arena, account->created_at_ms);
    case ACD_COLUMN_UPDATED_AT:
        return time_text(arena, account->updated_at_ms);
    default:
        return account->fields[column - ACD_COLUMN_PROFILE];
    }
}

static void check_cell(struct acd_arena *arena, struct acd_slice cell, const struct acd_command *command,
                       const struct acd_outcome *outcome, enum acd_column column)
{
    FUZZ_CHECK(cell.len == 0 || !memchr("=+-@\t\n", cell.data[0], 6), "a formula: %.*s",
               ACD_SLICE_ARGS(cell));
    if (cell.len && cell.data[0] == '\'')
        cell = acd_slice(cell.data + 1, cell.len - 1);
    if (column == ACD_COLUMN_CUSTOM)
        check_custom(arena, cell, outcome->record);
    else
        FUZZ_CHECK(acd_slice_equal(cell, expected(arena, command, outcome, column)), "%s is '%.*s'",
                   acd_column_text(column), ACD_SLICE_ARGS(cell));
}

static void check_csv(struct acd_arena *arena, struct acd_slice file, const struct acd_command *command,
                      const struct acd_outcome *outcomes, uint32_t count)
{
    struct reader reader = {file};

    for (uint32_t row = 0; row <= count; row++) {
        for (uint32_t i = 0; i < command->column_count; i++) {
            struct acd_slice cell;

            FUZZ_CHECK(i == 0 || take(&reader, ","), "row %u ends after %u cells", row, i);
            FUZZ_CHECK(i > 0 || !at(&reader, "\r\n"), "row %u is an empty line", row);
            cell = read_cell(&reader, arena);
            if (row == 0)
                FUZZ_CHECK(acd_slice_is(cell, acd_column_text(command->columns[i])), "column %u", i);
            else
                check_cell(arena, cell, command, &outcomes[row - 1], command->columns[i]);
        }
        FUZZ_CHECK(take(&reader, "\r\n"), "row %u has more cells than the header", row);
    }
    FUZZ_CHECK(reader.rest.len == 0, "something follows the last row: %.*s", ACD_SLICE_ARGS(reader.rest));
}

/* ndjson, json and msgpack: only whether each can be read; the first two end each record in a way that one
 * can find. */
static void check_records(struct acd_arena *arena, struct acd_slice file, enum acd_format format,
                          uint32_t count)
{
    struct acd_value map;

    if (format == ACD_JSON)
        file = acd_arena_format(arena, "{\"a\":%.*s}", ACD_SLICE_ARGS(file));
    if (format == ACD_JSON || (format == ACD_MSGPACK && count == 1))
        FUZZ_CHECK(!acd_codec_decode(format == ACD_JSON ? ACD_ENCODING_JSON : ACD_ENCODING_MSGPACK,
                                     fuzz_exact(arena, file), arena, &map),
                   "it cannot be read: %.*s", ACD_SLICE_ARGS(file));
    if (format != ACD_NDJSON)
        return;
    for (; count > 0; count--) {
        const char *end = memchr(file.data, '\n', file.len);

        FUZZ_CHECK(end && !acd_codec_decode(ACD_ENCODING_JSON,
                                            acd_slice(file.data, (size_t)(end - file.data)), arena, &map),
                   "a line that cannot be read: %.*s", ACD_SLICE_ARGS(file));
        file = acd_slice(end + 1, file.len - (size_t)(end + 1 - file.data));
    }
    FUZZ_CHECK(file.len == 0, "more lines than records");
}

static void read_columns(struct fuzz_input *input, struct acd_command *command)
{
    uint32_t count = 1 + fuzz_below(input, ACD_COLUMN_COUNT);
    uint32_t seen = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint8_t column = (uint8_t)fuzz_below(input, ACD_COLUMN_COUNT);

        if (!(seen & UINT32_C(1) << column))
            command->columns[command->column_count++] = column;
        seen |= UINT32_C(1) << column;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct acd_command command = {.op = ACD_EXPORT, .app = ACD_LITERAL("demo")};
    struct acd_outcome outcomes[RECORDS_MAX] = {0};
    struct record records[RECORDS_MAX];
    struct acd_arena arena;
    struct acd_slice file;
    uint32_t count;

    acd_arena_init(&arena);
    command.format = fuzz_byte(&input) & 3 ? (enum acd_format)fuzz_below(&input, 4) : ACD_CSV;
    read_columns(&input, &command);
    count = fuzz_below(&input, RECORDS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        outcomes[i].account = text_of(&input, &arena);
        read_record(&input, &arena, &records[i]);
        outcomes[i].record = &records[i].account;
    }
    file = acd_export_encode(&arena, &command, outcomes, count);
    if (command.format == ACD_CSV)
        check_csv(&arena, fuzz_exact(&arena, file), &command, outcomes, count);
    else
        check_records(&arena, file, command.format, count);
    acd_arena_free(&arena);
    return 0;
}
