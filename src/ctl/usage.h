/* usage.h: what --help prints. */
#ifndef ACCOUNTD_CTL_USAGE_H
#define ACCOUNTD_CTL_USAGE_H

#include <stdio.h>

#include "args.h"

/* The help of a command, or of the program for ACD_CTL_COMMAND_COUNT. */
void acd_ctl_usage(FILE *out, enum acd_ctl_command command);

#endif
