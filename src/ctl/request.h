/* request.h: a command line as a command of the contract (section 2).
 *
 * Values are not judged here: the daemon knows the rules, and its answer names the field to blame.
 */
#ifndef ACCOUNTD_CTL_REQUEST_H
#define ACCOUNTD_CTL_REQUEST_H

#include <jansson.h>

#include "args.h"

/* Checks what only a person can have meant wrongly: no app, no or too many accounts, changes that exclude
 * each other, bytes that are not UTF-8. Mistakes go to stderr. */
enum acd_ctl_exit acd_ctl_request_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* The command; `after` is list's cursor, or NULL. The caller owns it. Returns NULL when a text is not UTF-8
 * (or without memory). */
json_t *acd_ctl_request_build(const struct acd_ctl_args *args, const char *after);

#endif
