/* support.h: what unit tests share: files, JSON as values, and answers and accounts as text. */
#ifndef ACCOUNTD_TESTS_SUPPORT_H
#define ACCOUNTD_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accountd/apply.h"

/* The whole file, to be freed by the caller; fails the test when there is none. */
char *test_read_whole(const char *path);

/* The tree of a JSON text in which ' stands for ", so that tables stay readable. A string "~N" becomes N
 * times x. The text itself need not live on. */
struct acd_value test_value(struct acd_arena *arena, const char *json);

/* Reads a command that must be good; fails the test with its refusal otherwise. */
void test_command(struct acd_arena *arena, const char *json, const struct acd_policy *policy,
                  struct acd_command *out);

/* The answer in one line, as "partial alice:ok@3* bob:account_not_found": revision after @, * when it
 * changed, + when it holds a record; a refusal with its field in parentheses and @ the revision it tells. */
const char *test_answer_text(struct acd_arena *arena, const struct acd_answer *answer);

/* The account in one line, as "admin@2 1000/2000 nickname=Al custom.x=1", or "none@5". */
const char *test_account_text(struct acd_arena *arena, const struct acd_account *account);

#endif
