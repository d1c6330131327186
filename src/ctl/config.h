/* config.h: what accountctl is told by its file, the environment and the command line.
 *
 * What comes later counts: defaults, the file, ACCOUNTCTL_ variables, the command line. An accountd.conf
 * counts as part of where it is named: brokers that are named there or later have precedence over its own.
 * Properties add up, and the last of one name counts.
 */
#ifndef ACCOUNTD_CTL_CONFIG_H
#define ACCOUNTD_CTL_CONFIG_H

#include "accountd/settings.h"
#include "args.h"

/* What one of them says; NULL and empty lists where it says nothing. Texts are owned. */
struct acd_ctl_choice {
    char *brokers;
    char *app;
    char *key;
    char *config;
    struct acd_strings properties;
    struct acd_strings metrics;
};

struct acd_ctl_config {
    struct acd_ctl_choice file;
    struct acd_ctl_choice environment;
};

/* Writes the file's name: $XDG_CONFIG_HOME/accountctl.conf, or ~/.config/accountctl.conf. False without a
 * home. */
bool acd_ctl_config_name(char *out, size_t bytes);

/* Reads a file; one that is not there says nothing. Mistakes go to stderr as FILE:LINE. Free `out` in any
 * case. */
enum acd_ctl_exit acd_ctl_choice_read(struct acd_ctl_choice *out, const char *file)
    __attribute__((warn_unused_result));

/* Reads ACCOUNTCTL_BROKERS and so on. A list has commas between its items, or is written as in the file. */
enum acd_ctl_exit acd_ctl_choice_environment(struct acd_ctl_choice *out) __attribute__((warn_unused_result));

void acd_ctl_choice_free(struct acd_ctl_choice *choice);

/* Reads all of it into the settings and into what the command line has left open. `args` borrows from `out`.
 * Mistakes go to stderr. Free `out` in any case. */
enum acd_ctl_exit acd_ctl_config_apply(struct acd_ctl_config *out, struct acd_ctl_args *args,
                                       struct acd_settings *settings) __attribute__((warn_unused_result));

void acd_ctl_config_free(struct acd_ctl_config *config);

#endif
