/* export.h: an exported file, from the export topic to where the user wants it. */
#ifndef ACCOUNTD_CTL_EXPORT_H
#define ACCOUNTD_CTL_EXPORT_H

#include <jansson.h>

#include "client.h"

/* Refuses what a terminal cannot show, and two things at once on stdout. */
enum acd_ctl_exit acd_ctl_export_check(const struct acd_ctl_args *args) __attribute__((warn_unused_result));

/* Reads the file of a reply that has one, checks it and writes it. Returns OK, or how it failed after writing
 * why to stderr. */
enum acd_ctl_exit acd_ctl_export_fetch(struct acd_ctl_client *client, const struct acd_ctl_args *args,
                                       const json_t *reply) __attribute__((warn_unused_result));

#endif
