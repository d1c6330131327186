/* reply.h: answers and changelog records as bytes. */
#ifndef ACCOUNTD_REPLY_H
#define ACCOUNTD_REPLY_H

#include "accountd/apply.h"
#include "accountd/codec.h"

/* Replies are at most this large (contract, section 3). */
#define ACD_REPLY_MAX ((size_t)900 * 1024)

/* What an export's manifest and its reply say (contract, section 5). Slices are the arena's. */
struct acd_manifest {
    struct acd_slice export_id;
    struct acd_slice source; /* topic:partition:offset */
    int64_t attempt;
    struct acd_slice app;
    enum acd_format format;
    enum acd_compression compression;
    int64_t chunks;
    int64_t bytes;
    struct acd_slice sha256; /* hex of the joined file */
    int64_t accounts;
    const struct acd_slice *not_found;
    uint32_t not_found_count;
    bool swept;       /* of all accounts of an app: beside `accounts` the index named these */
    int64_t gone;     /* deleted between the reading of the index and that of the account */
    int64_t left_out; /* not what the command has chosen */
};

/* Where a command came from, and when. */
struct acd_origin {
    struct acd_slice topic;
    int32_t partition;
    int64_t offset;
    int64_t at_ms; /* the record's Kafka timestamp, clamped */
};

/* Encodes the reply to a command. `id` is the one to answer with (the command's, or the position).
 * `manifest` is NULL but for an export that made a file. A list that is too large is cut to the rows that
 * fit (answer is changed accordingly); a `get` that is too large becomes REPLY_TOO_LARGE. */
struct acd_slice acd_reply_encode(struct acd_arena *arena, enum acd_encoding encoding,
                                  const struct acd_command *command, struct acd_answer *answer,
                                  struct acd_slice id, const struct acd_origin *origin,
                                  const struct acd_manifest *manifest);

/* Encodes the manifest as JSON. */
struct acd_slice acd_manifest_encode(struct acd_arena *arena, const struct acd_manifest *manifest);

/* Writes a record ({"app","account","type",…}) as a value of the writer. */
void acd_record_write(struct acd_writer *writer, struct acd_slice app, struct acd_slice name,
                      const struct acd_account *account);

/* The same with only the members whose bit (1 << enum acd_column) is in `keep`; the profile stands where one
 * of its fields is kept, be it set or not. */
#define ACD_KEEP_ALL ((UINT32_C(1) << ACD_COLUMN_COUNT) - 1)
void acd_record_write_kept(struct acd_writer *writer, struct acd_slice app, struct acd_slice name,
                           const struct acd_account *account, uint32_t keep);

/* Writes a map of custom fields as a value of the writer. */
void acd_custom_write(struct acd_writer *writer, const struct acd_account *account);

/* The changelog's value after a change: the record, or {"app","account","deleted":true,…}. JSON. */
struct acd_slice acd_changelog_encode(struct acd_arena *arena, struct acd_slice app, struct acd_slice name,
                                      const struct acd_account *account);

/* Reads it back. Returns NULL, or what is wrong with it (static or in the arena). Slices borrow from the
 * value or the arena. */
const char *acd_changelog_decode(struct acd_arena *arena, struct acd_slice value, struct acd_slice *app,
                                 struct acd_slice *name, struct acd_account *out)
    __attribute__((warn_unused_result));

#endif
