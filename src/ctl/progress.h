/* progress.h: one line on the terminal that says how far long work is. Nothing is shown where stderr is none.
 */
#ifndef ACCOUNTD_CTL_PROGRESS_H
#define ACCOUNTD_CTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* How far work is: by what is counted, or, where nobody knows how many there will be, by the bytes of a file.
 * A total or size of 0 is not known. */
struct acd_ctl_extent {
    int64_t done;
    int64_t total;
    int64_t bytes;
    int64_t size;
};

struct acd_ctl_progress {
    const char *unit; /* what is counted: "accounts", "bytes" */
    bool shown;       /* there is a terminal */
    bool drawn;       /* the line is on it */
    int64_t began_ms;
    int64_t drawn_ms;
    struct acd_ctl_extent before; /* what an earlier process did; the rate is of the rest */
};

/* `before` things were done by an earlier process; 0: none. */
void acd_ctl_progress_begin(struct acd_ctl_progress *out, const char *unit, int64_t before);

/* Drawn a few times a second at most, however often it is called. */
void acd_ctl_progress_show(struct acd_ctl_progress *progress, const struct acd_ctl_extent *now);

/* Nothing has come yet: says for how long, from the first second on. */
void acd_ctl_progress_wait(struct acd_ctl_progress *progress, const char *what);

/* Takes the line away, for other words; the next call of show draws it again. */
void acd_ctl_progress_clear(struct acd_ctl_progress *progress);

/* Takes the line away for good. */
void acd_ctl_progress_end(struct acd_ctl_progress *progress);

/* The line without control characters, `elapsed_ms` after the beginning. Returns `out`. */
const char *acd_ctl_progress_text(char *out, int size, const struct acd_ctl_progress *progress,
                                  const struct acd_ctl_extent *now, int64_t elapsed_ms);

#endif
