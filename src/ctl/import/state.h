/* state.h: how far the import of a file is, kept beside it, so that an interrupted one can go on. */
#ifndef ACCOUNTD_CTL_IMPORT_STATE_H
#define ACCOUNTD_CTL_IMPORT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "post.h"

#define ACD_CTL_STATE_SUFFIX ".import-state"

enum acd_ctl_outcome {
    ACD_CTL_PENDING,
    ACD_CTL_CREATED,
    ACD_CTL_UPDATED,
    ACD_CTL_SKIPPED,
    ACD_CTL_REJECTED_LINE,
    ACD_CTL_OUTCOME_COUNT
};

/* Texts are borrowed where a state is saved, and owned by `json` where it was loaded. */
struct acd_ctl_state {
    /* What must be the same when it goes on. */
    const char *sha256; /* of the file */
    const char *app;
    const char *on_exists;
    const char *cluster;
    const char *topic;

    const char *run; /* the ids of its commands begin with it */
    bool done;       /* nothing of it is left to do */
    bool broken;     /* done, but the file could not be read to its end */
    int64_t number;  /* of the last record that is settled */
    int64_t read;    /* records so far */
    int64_t counts[ACD_CTL_OUTCOME_COUNT];
    int64_t rejects_bytes; /* of the file of rejects */
    struct acd_ctl_places commands;
    struct acd_ctl_places replies;
    void *json; /* owned: json_t */
};

/* Writes the file as a whole or not at all. Returns 0, or -1 with errno. */
int acd_ctl_state_save(const struct acd_ctl_state *state, const char *path)
    __attribute__((warn_unused_result));

enum acd_ctl_state_is { ACD_CTL_STATE_LOADED, ACD_CTL_STATE_NONE, ACD_CTL_STATE_BAD };

/* BAD: it can't be read (errno), or is none (errno 0). Free `out` after LOADED. */
enum acd_ctl_state_is acd_ctl_state_load(struct acd_ctl_state *out, const char *path)
    __attribute__((warn_unused_result));

void acd_ctl_state_free(struct acd_ctl_state *state);

#endif
