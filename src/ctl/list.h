/* list.h: accounts as a table, page by page. */
#ifndef ACCOUNTD_CTL_LIST_H
#define ACCOUNTD_CTL_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ACD_CTL_COLUMNS 5

/* All zero before the first page. */
struct acd_ctl_table {
    size_t widths[ACD_CTL_COLUMNS]; /* of the pages so far */
    int64_t rows;
    bool begun;
};

/* Writes the rows of a reply to list, under a header when it is the first. */
void acd_ctl_table_page(struct acd_ctl_table *table, FILE *out, const json_t *reply);

/* Writes how many accounts were shown, and how to go on where there are more. */
void acd_ctl_table_end(const struct acd_ctl_table *table, FILE *out, const json_t *last_reply);

#endif
