/* import.h: accountctl import: the accounts of a file are created. */
#ifndef ACCOUNTD_CTL_IMPORT_IMPORT_H
#define ACCOUNTD_CTL_IMPORT_IMPORT_H

#include "../args.h"
#include "accountd/settings.h"

/* Checks what is asked for; mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_import_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Does it, and says on stdout what came of it. */
enum acd_ctl_exit acd_ctl_import(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

#endif
