/* status.h: the line that systemctl status shows. */
#ifndef ACCOUNTD_STATUS_H
#define ACCOUNTD_STATUS_H

#include <stdint.h>

/* What was told last; all 0 at first. */
struct status {
    int64_t told_at_ms;
    int64_t commands; /* … that were answered by then */
    char text[600];
};

/* Tells systemd what the daemon waits for or, `waits_for` NULL or empty, what it serves: at once when it
 * waits for something else than before, and else not more than once a second. */
void status_tell(struct status *status, const char *waits_for);

#endif
