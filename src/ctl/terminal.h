/* terminal.h: text for people.
 *
 * What other people wrote (nicknames, messages) may hold control characters that a terminal would obey, so
 * everything that is not a file's content goes through here.
 */
#ifndef ACCOUNTD_CTL_TERMINAL_H
#define ACCOUNTD_CTL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#include "accountd/slice.h"

/* Writes the text with control characters as \n, \t, \x1b or \u0085. */
void acd_ctl_put(FILE *out, struct acd_slice text);

/* Writes JSON text, with the control characters that JSON lets through as \u0085. */
void acd_ctl_put_json(FILE *out, struct acd_slice json);

/* Columns that acd_ctl_put takes on a terminal. */
size_t acd_ctl_width(struct acd_slice text);

/* Writes "accountctl: MESSAGE" and a newline to stderr, escaped. */
void acd_ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True for a terminal that can move its cursor. */
bool acd_ctl_terminal(FILE *out);

/* True where colour is welcome: a terminal that knows it, and no NO_COLOR. */
bool acd_ctl_colour(FILE *out);

#endif
