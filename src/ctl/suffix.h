/* suffix.h: what the name of a file says of its format and compression. Pure. */
#ifndef ACCOUNTD_CTL_SUFFIX_H
#define ACCOUNTD_CTL_SUFFIX_H

#include <stdbool.h>

#include "accountd/command.h"

struct acd_ctl_suffix {
    bool has_format; /* the name says it */
    bool has_compression;
    enum acd_format format;
    enum acd_compression compression;
};

/* accounts.csv.gz is CSV in gzip, whatever the case of its letters. */
struct acd_ctl_suffix acd_ctl_suffix_of(const char *name);

#endif
