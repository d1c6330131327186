/* Exports as CSV, for spreadsheets and for import. */
#include "accountd/text.h"

#include "encode.h"

/* Spreadsheets run cells that begin like this as formulas. The quote is one of them so that import, which
 * takes one off, gives back every text as it was. */
static bool looks_like_formula(struct acd_slice cell)
{
    return cell.len && memchr("=+-@'\t\n", cell.data[0], 7);
}

static bool needs_quotes(struct acd_slice cell)
{
    for (size_t i = 0; i < cell.len; i++) {
        char c = cell.data[i];

        if (c == ',' || c == '"' || c == '\r' || c == '\n')
            return true;
    }
    return false;
}

static void add_cell(struct acd_buffer *buffer, struct acd_slice cell)
{
    bool quotes = needs_quotes(cell);

    if (quotes)
        acd_buffer_add_char(buffer, '"');
    if (looks_like_formula(cell))
        acd_buffer_add_char(buffer, '\'');
    while (cell.len) {
        const char *quote = memchr(cell.data, '"', cell.len);
        size_t run = quote ? (size_t)(quote - cell.data) + 1 : cell.len;

        acd_buffer_add(buffer, cell.data, run);
        if (quote)
            acd_buffer_add_char(buffer, '"');
        cell = acd_slice(cell.data + run, cell.len - run);
    }
    if (quotes)
        acd_buffer_add_char(buffer, '"');
}

static struct acd_slice time_text(struct acd_arena *arena, int64_t ms)
{
    char text[ACD_TIME_BYTES];

    acd_time_format(ms, text);
    return acd_arena_copy(arena, acd_slice(text, ACD_TIME_BYTES - 1));
}

static struct acd_slice custom_text(struct acd_arena *arena, const struct acd_account *account)
{
    struct acd_writer writer;

    if (!account->custom_count)
        return acd_slice(NULL, 0);
    acd_writer_init(&writer, ACD_ENCODING_JSON, arena);
    acd_custom_write(&writer, account);
    return acd_buffer_slice(&writer.buffer);
}

static struct acd_slice cell_text(struct acd_arena *arena, struct acd_slice app,
                                  const struct acd_outcome *outcome, enum acd_column column)
{
    const struct acd_account *account = outcome->record;

    switch (column) {
    case ACD_COLUMN_APP:
        return app;
    case ACD_COLUMN_ACCOUNT:
        return outcome->account;
    case ACD_COLUMN_TYPE:
        return acd_slice_str(acd_type_text(account->type));
    case ACD_COLUMN_REVISION:
        return acd_arena_format(arena, "%lld", (long long)account->revision);
    case ACD_COLUMN_CREATED_AT:
        return time_text(arena, account->created_at_ms);
    case ACD_COLUMN_UPDATED_AT:
        return time_text(arena, account->updated_at_ms);
    case ACD_COLUMN_CUSTOM:
        return custom_text(arena, account);
    default:
        return account->fields[column - ACD_COLUMN_PROFILE];
    }
}

static void end_row(struct acd_buffer *buffer)
{
    acd_buffer_add_str(buffer, "\r\n");
}

static void add_header(struct acd_buffer *buffer, const struct acd_command *command)
{
    for (uint32_t i = 0; i < command->column_count; i++) {
        if (i)
            acd_buffer_add_char(buffer, ',');
        acd_buffer_add_str(buffer, acd_column_text(command->columns[i]));
    }
    end_row(buffer);
}

static void add_row(struct acd_buffer *buffer, const struct acd_command *command,
                    const struct acd_outcome *outcome)
{
    size_t start = buffer->len;

    for (uint32_t i = 0; i < command->column_count; i++) {
        if (i)
            acd_buffer_add_char(buffer, ',');
        add_cell(buffer, cell_text(buffer->arena, command->app, outcome, command->columns[i]));
    }
    /* Readers skip an empty line, but a row is an account. */
    if (buffer->len == start)
        acd_buffer_add_str(buffer, "\"\"");
    end_row(buffer);
}

static void add_rows(struct acd_buffer *buffer, const struct acd_command *command,
                     const struct acd_outcome *outcomes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (outcomes[i].record)
            add_row(buffer, command, &outcomes[i]);
}

struct acd_slice acd_csv_header(struct acd_arena *arena, const struct acd_command *command)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, 512);
    add_header(&buffer, command);
    return acd_buffer_slice(&buffer);
}

struct acd_slice acd_csv_rows(struct acd_arena *arena, const struct acd_command *command,
                              const struct acd_outcome *outcomes, uint32_t count)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, 4096);
    add_rows(&buffer, command, outcomes, count);
    return acd_buffer_slice(&buffer);
}

struct acd_slice acd_csv_encode(struct acd_arena *arena, const struct acd_command *command,
                                const struct acd_outcome *outcomes, uint32_t count)
{
    struct acd_buffer buffer;

    acd_buffer_init(&buffer, arena, 4096);
    add_header(&buffer, command);
    add_rows(&buffer, command, outcomes, count);
    return acd_buffer_slice(&buffer);
}
