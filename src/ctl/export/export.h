/* export.h: an exported file, from the export topic to where the user wants it. */
#ifndef ACCOUNTD_CTL_EXPORT_EXPORT_H
#define ACCOUNTD_CTL_EXPORT_EXPORT_H

#include <jansson.h>

#include "../client.h"
#include "../output.h"
#include "chunks.h"

/* Fills in format and compression from the name of the file, where they are not given: accounts.csv.gz.
 * "-" becomes NULL, stdout. */
void acd_ctl_export_guess(struct acd_ctl_args *args);

/* True when options choose among all accounts. */
bool acd_ctl_export_chooses(const struct acd_ctl_args *args);

/* Refuses what a terminal cannot show, and two things at once on stdout. */
enum acd_ctl_exit acd_ctl_export_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Reads the file of a reply that has one, checks it and writes it. Returns OK, or how it failed after writing
 * why to stderr. */
enum acd_ctl_exit acd_ctl_export_fetch(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                                       const json_t *reply) __attribute__((warn_unused_result));

/* The export of an app, from its command to its file. The chunks are read as they come; the reply says which
 * attempt's count. */
enum acd_ctl_exit acd_ctl_export_all(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                                     const struct acd_settings *settings) __attribute__((warn_unused_result));

/* Fetches the file of an earlier export once more, while Kafka has it. */
enum acd_ctl_exit acd_ctl_export_again_check(const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));
enum acd_ctl_exit acd_ctl_export_again(const struct acd_settings *settings, const struct acd_ctl_args *args)
    __attribute__((warn_unused_result));

/* ---- Shared by the three */

struct acd_ctl_chunk acd_ctl_export_chunk(const rd_kafka_message_t *message);

/* Writes "export to FILE: REASON" to stderr, and returns ACD_CTL_FAILED. */
enum acd_ctl_exit acd_ctl_export_complain(const struct acd_ctl_args *args, const char *reason);

/* Puts one message of the export topic into the file, when it is the file's; `taken` says whether it was. */
enum acd_ctl_exit acd_ctl_export_take(const struct acd_ctl_args *args, struct acd_ctl_chunks *chunks,
                                      struct acd_ctl_output *output, const rd_kafka_message_t *message,
                                      bool *taken) __attribute__((warn_unused_result));

/* Checks the complete file, gives it its name, and says so. */
enum acd_ctl_exit acd_ctl_export_keep(const struct acd_ctl_args *args, struct acd_ctl_chunks *chunks,
                                      struct acd_ctl_output *output, const json_t *manifest)
    __attribute__((warn_unused_result));

#endif
