/* tail_line.h: which replies and changes are wanted, and a line for each. No Kafka. */
#ifndef ACCOUNTD_CTL_TOPICS_TAIL_LINE_H
#define ACCOUNTD_CTL_TOPICS_TAIL_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "accountd/slice.h"

/* NULL: any. Empty texts are as good as none. */
struct acd_ctl_filter {
    const char *app;
    const char *account;
    const char *op;
    const char *code;
    const char *id;
};

/* What a record of the changelog is. */
enum acd_ctl_change_kind {
    ACD_CTL_CHANGE_SET,
    ACD_CTL_CHANGE_DELETED,
    ACD_CTL_CHANGE_TOMBSTONE, /* a null value */
    ACD_CTL_CHANGE_OWN,       /* a note that accountd keeps for itself */
    ACD_CTL_CHANGE_OTHER      /* none that accountd writes */
};

/* A name for scripts. */
const char *acd_ctl_change_name(enum acd_ctl_change_kind kind);

/* `body` is the decoded value, or NULL where it is none. */
enum acd_ctl_change_kind acd_ctl_change_kind(struct acd_slice key, struct acd_slice value,
                                             const json_t *body);

/* Accounts and codes are looked for in all entries of a reply. A body that is NULL has nothing of what a
 * filter asks for. */
bool acd_ctl_filter_reply(const struct acd_ctl_filter *filter, const json_t *body);

/* By the key, APP/ACCOUNT, which a tombstone has, too. */
bool acd_ctl_filter_change(const struct acd_ctl_filter *filter, struct acd_slice key);

/* What stands behind time and position, without the newline. */
void acd_ctl_reply_line(FILE *out, struct acd_slice key, const json_t *body);
void acd_ctl_change_line(FILE *out, enum acd_ctl_change_kind kind, struct acd_slice key, const json_t *body);

#endif
