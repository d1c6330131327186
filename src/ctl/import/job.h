/* job.h: an import that is under way, and the part of it that reads, posts and settles. */
#ifndef ACCOUNTD_CTL_IMPORT_JOB_H
#define ACCOUNTD_CTL_IMPORT_JOB_H

#include <signal.h>

#include "../progress.h"
#include "lines.h"
#include "rejects.h"

/* Segments that are under way. Together they bound what memory holds of the file. */
#define ACD_CTL_IMPORT_WINDOW 4

struct acd_ctl_import {
    const struct acd_settings *settings;
    const struct acd_ctl_args *args;
    const char *path;
    char *state_path; /* NULL: it can't go on later */
    struct acd_ctl_lines lines;
    struct acd_arena record; /* what is read of one line */
    struct acd_ctl_import_terms terms;
    struct acd_ctl_state before; /* of the import that goes on */
    struct acd_ctl_state state;
    struct acd_ctl_poster post;
    struct acd_ctl_rejects rejects;
    struct acd_ctl_progress progress;
    struct acd_ctl_segment *window[ACD_CTL_IMPORT_WINDOW];
    uint32_t segments;
    int64_t *found; /* first lines of commands that an earlier process has posted */
    size_t found_count;
    const volatile sig_atomic_t *interrupted; /* how often */
    int64_t heard_ms;                         /* when something went on */
    char sha256[65];
    char run[32];
};

/* Goes on until the end of the file, or an interrupt. Interrupted once, it waits for the replies to what is
 * posted; twice, it does not. Returns OK then, too. */
enum acd_ctl_exit acd_ctl_import_work(struct acd_ctl_import *import) __attribute__((warn_unused_result));

/* Writes the state, of an import that has one. Returns 0, or -1 after saying why not. */
int acd_ctl_import_save(struct acd_ctl_import *import, const struct acd_ctl_places *commands,
                        const struct acd_ctl_places *replies) __attribute__((warn_unused_result));

#endif
