/* record.h: a record of a file as an entry of a create command.
 *
 * What the daemon would refuse without looking at any account is refused here, by the same code: one bad
 * entry would have it refuse the whole command. Everything is in the arena or borrows from the record.
 */
#ifndef ACCOUNTD_CTL_IMPORT_RECORD_H
#define ACCOUNTD_CTL_IMPORT_RECORD_H

#include "accountd/arena.h"
#include "accountd/command.h"
#include "accountd/value.h"

/* The member that a mended file of rejects still has, and what its columns begin with. */
#define ACD_CTL_REJECTED "rejected"

struct acd_ctl_entry {
    struct acd_slice account;   /* empty: none that is valid */
    struct acd_slice json;      /* the entry, where it is not refused */
    struct acd_refusal refusal; /* ACD_OK: it is not */
};

/* Reads a record, of which the members that the daemon sets itself, and `rejected`, are left out. */
void acd_ctl_entry_read(struct acd_arena *arena, struct acd_slice app, const struct acd_value *record,
                        struct acd_ctl_entry *out);

/* Decodes a record of ndjson, json or msgpack, and reads it. */
void acd_ctl_entry_decode(struct acd_arena *arena, struct acd_slice app, enum acd_format format,
                          struct acd_slice bytes, struct acd_ctl_entry *out);

/* True for the members and columns that an import leaves out. */
bool acd_ctl_is_ignored(struct acd_slice name);

/* An entry that is refused before it is read. */
void acd_ctl_entry_refuse(struct acd_ctl_entry *out, enum acd_code code, const char *field,
                          const char *message);

#endif
