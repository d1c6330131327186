/* Columns that are as wide as what they have shown so far, so that pages can be written as they come. */
#include "list.h"

#include <inttypes.h>

#include "render.h"
#include "terminal.h"

static const struct {
    const char *member;
    const char *title;
} columns[ACD_CTL_COLUMNS] = {
    {"account", "ACCOUNT"},   {"type", "TYPE"},         {"created_at", "CREATED"},
    {"nickname", "NICKNAME"}, {"avatar_url", "AVATAR"},
};

static struct acd_slice cell(const json_t *row, size_t column)
{
    return row ? acd_ctl_text(row, columns[column].member) : acd_slice_str(columns[column].title);
}

/* A row, or the header where row is NULL. Blanks are left out at the end of a line. */
static void put_row(const struct acd_ctl_table *table, FILE *out, const json_t *row)
{
    size_t blanks = 0;

    for (size_t i = 0; i < ACD_CTL_COLUMNS; i++) {
        struct acd_slice text = cell(row, i);
        size_t width = acd_ctl_width(text);

        if (text.len) {
            (void)fprintf(out, "%*s", (int)blanks, "");
            acd_ctl_put(out, text);
            blanks = 0;
        }
        blanks += table->widths[i] - width + 2;
    }
}

static void widen(struct acd_ctl_table *table, const json_t *row)
{
    for (size_t i = 0; i < ACD_CTL_COLUMNS; i++) {
        size_t width = acd_ctl_width(cell(row, i));

        if (width > table->widths[i])
            table->widths[i] = width;
    }
}

void acd_ctl_table_page(struct acd_ctl_table *table, FILE *out, const json_t *reply)
{
    const json_t *rows = json_object_get(reply, "rows");
    size_t count = json_array_size(rows);
    bool colour = acd_ctl_colour(out);

    if (!table->begun)
        widen(table, NULL);
    for (size_t i = 0; i < count; i++)
        widen(table, json_array_get(rows, i));
    if (!table->begun && count) {
        (void)fputs(colour ? "\033[1m" : "", out);
        put_row(table, out, NULL);
        (void)fputs(colour ? "\033[0m\n" : "\n", out);
        table->begun = true;
    }
    for (size_t i = 0; i < count; i++) {
        put_row(table, out, json_array_get(rows, i));
        (void)fputc('\n', out);
    }
    table->rows += (int64_t)count;
}

void acd_ctl_table_end(const struct acd_ctl_table *table, FILE *out, const json_t *last_reply)
{
    int64_t total = (int64_t)json_integer_value(json_object_get(last_reply, "total"));
    struct acd_slice next = acd_ctl_text(last_reply, "next");

    if (next.data) {
        (void)fprintf(out, "%" PRId64 " of %" PRId64 " accounts; go on with --after ", table->rows, total);
        acd_ctl_put(out, next);
        (void)fputc('\n', out);
    } else {
        (void)fprintf(out, "%" PRId64 " account%s in all\n", total, total == 1 ? "" : "s");
    }
}
