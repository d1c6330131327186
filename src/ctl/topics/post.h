/* post.h: dead letters to the command topic, each with the note that it was replayed (notes.h), in
 * transactions.
 *
 * All replays of a group share a transactional id: acd_ctl_post_open ends what another one has open, and from
 * then on fences it. So who reads the notes after it, to the end of the log, knows of all that others have
 * posted.
 *
 * Errors: functions write what went wrong to stderr and return how accountctl is to end. What a transaction
 * that failed would have posted is not posted; where its end is not known, the next replay's notes tell.
 */
#ifndef ACCOUNTD_CTL_TOPICS_POST_H
#define ACCOUNTD_CTL_TOPICS_POST_H

#include "../link.h"
#include "answers.h"
#include "letter.h"

struct acd_ctl_post;

/* Free `*out` in any case. Both others must live longer. */
enum acd_ctl_exit acd_ctl_post_open(struct acd_ctl_post **out, struct acd_ctl_link *link,
                                    struct acd_ctl_answers *answers) __attribute__((warn_unused_result));

/* Keeps a copy of the letter for the next transaction, which takes place when there are enough of them. */
enum acd_ctl_exit acd_ctl_post_add(struct acd_ctl_post *post, const struct acd_ctl_letter *letter)
    __attribute__((warn_unused_result));

/* Posts what is kept, and tells `answers` where the commands are. */
enum acd_ctl_exit acd_ctl_post_flush(struct acd_ctl_post *post) __attribute__((warn_unused_result));

/* NULL is accepted. */
void acd_ctl_post_free(struct acd_ctl_post *post);

#endif
