/* dump.h: an account's hash as one value, in the form that DUMP gives and RESTORE takes. Private to the
 * store.
 *
 * Redis keeps a small hash as a listpack, and RESTORE copies one into place: a new account costs Redis one
 * argument and one copy, not two arguments, a search for the name and an append for each field.
 */
#ifndef ACCOUNTD_STORE_DUMP_H
#define ACCOUNTD_STORE_DUMP_H

#include "accountd/account.h"
#include "accountd/arena.h"

/* All fields of an account that exists. The bytes are the arena's. */
struct acd_slice acd_dump(struct acd_arena *arena, const struct acd_account *account);

#endif
