/* output.h: the file that an export writes.
 *
 * A named file appears at once, complete, or not at all: what is written goes to a temporary file in the same
 * folder, which takes the name at the end. One at a time, because a signal has to find it. */
#ifndef ACCOUNTD_CTL_OUTPUT_H
#define ACCOUNTD_CTL_OUTPUT_H

#include <stdio.h>

#include "accountd/slice.h"

struct acd_ctl_output {
    const char *name; /* borrowed; NULL: stdout, a device or a pipe */
    FILE *file;
};

/* All return 0, or -1 with the reason in errno. After an error of opening there is nothing to discard. */
int acd_ctl_output_open(struct acd_ctl_output *out, const char *name) __attribute__((warn_unused_result));
int acd_ctl_output_write(struct acd_ctl_output *output, struct acd_slice bytes)
    __attribute__((warn_unused_result));

/* What is to be said on stderr when somebody ends the process, which has its effect nevertheless. The text
 * must stay; NULL: nothing. */
void acd_ctl_output_last_words(const char *text);

/* Takes back what was written. Fails where that is on its way already: on stdout, a device or a pipe. */
int acd_ctl_output_restart(struct acd_ctl_output *output) __attribute__((warn_unused_result));

/* Gives the file its name. After an error nothing is left behind. */
int acd_ctl_output_keep(struct acd_ctl_output *output) __attribute__((warn_unused_result));

/* Removes what was written; does nothing after acd_ctl_output_keep. */
void acd_ctl_output_discard(struct acd_ctl_output *output);

#endif
