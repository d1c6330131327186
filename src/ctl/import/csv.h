/* csv.h: rows of CSV as records. Pure.
 *
 * The first row names the columns: by the names of a record and its profile, by the labels of the console, or
 * as custom.NAME. Cells are those of an export: what is empty is not said, `custom` is JSON, and the quote
 * that an export puts before what a spreadsheet would run comes off.
 */
#ifndef ACCOUNTD_CTL_IMPORT_CSV_H
#define ACCOUNTD_CTL_IMPORT_CSV_H

#include "record.h"

#define ACD_CTL_COLUMNS_MAX 256

struct acd_ctl_csv {
    uint32_t count;
    struct {
        struct acd_slice title;  /* as it is in the file */
        enum acd_column column;  /* ACD_COLUMN_COUNT: is left out, or `custom` is one field's */
        struct acd_slice custom; /* the name of a custom field; empty: it is none's */
        bool rejected;           /* of a file of rejects: left out, and not written again */
    } columns[ACD_CTL_COLUMNS_MAX];
};

/* The cells of a row, unquoted; the row's bytes are written over. Returns how many there are, of which at
 * most `max` are given, or -1 for text behind the quotes of a cell. */
int acd_ctl_csv_cells(char *row, size_t len, struct acd_slice *cells, uint32_t max);

/* Reads the first row, whose bytes must stay. Returns NULL, or why the file cannot be imported (in the
 * arena). */
const char *acd_ctl_csv_header(struct acd_ctl_csv *csv, struct acd_arena *arena, struct acd_slice row);

/* Reads a row. */
void acd_ctl_csv_row(const struct acd_ctl_csv *csv, struct acd_arena *arena, struct acd_slice app,
                     struct acd_slice row, struct acd_ctl_entry *out);

#endif
