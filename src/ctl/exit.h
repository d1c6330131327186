/* exit.h: how accountctl ends. Scripts rely on the numbers (contract, section 6). */
#ifndef ACCOUNTD_CTL_EXIT_H
#define ACCOUNTD_CTL_EXIT_H

enum acd_ctl_exit {
    ACD_CTL_OK = 0,
    ACD_CTL_FAILED = 1, /* refused by accountd, or failed here */
    ACD_CTL_USAGE = 2,
    ACD_CTL_PARTIAL = 3, /* some of the named accounts failed */
    ACD_CTL_TIMEOUT = 5, /* posted, but no reply in time */
    ACD_CTL_UNREACHABLE = 6,
    ACD_CTL_INTERRUPTED = 130, /* by SIGINT or SIGTERM, in the middle */
};

#endif
