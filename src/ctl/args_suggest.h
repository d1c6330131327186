/* args_suggest.h: what is said of a command or an option that nobody knows. */
#ifndef ACCOUNTD_CTL_ARGS_SUGGEST_H
#define ACCOUNTD_CTL_ARGS_SUGGEST_H

#include <stdbool.h>

/* Says on stderr that there is no such command, and which one may have been meant. */
void acd_ctl_args_no_command(const char *word);

/* Says on stderr what is wrong with an option: that it is not known, or, for one that is `known`, that a
 * value is `missing` or one too many. */
void acd_ctl_args_no_option(const char *word, bool missing, bool known);

#endif
