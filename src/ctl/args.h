/* args.h: the command line of accountctl.
 *
 * Options may stand before and after the command. Texts are the program's arguments, not copies; only the
 * lists are allocated, and acd_ctl_args_free frees them.
 */
#ifndef ACCOUNTD_CTL_ARGS_H
#define ACCOUNTD_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "exit.h"

/* What the daemon takes in one command (contract, section 2). */
#define ACD_CTL_ACCOUNTS_MAX 100

/* X(identifier, name) */
#define ACD_CTL_COMMANDS(X)                                                                                  \
    X(CREATE, "create")                                                                                      \
    X(EDIT, "edit")                                                                                          \
    X(DELETE, "delete")                                                                                      \
    X(GET, "get")                                                                                            \
    X(LIST, "list")                                                                                          \
    X(EXPORT, "export")                                                                                      \
    X(REBUILD, "rebuild")                                                                                    \
    X(DLQ, "dlq")                                                                                            \
    X(TAIL, "tail")                                                                                          \
    X(IMPORT, "import")                                                                                      \
    X(STATUS, "status")                                                                                      \
    X(BENCH, "bench")

enum acd_ctl_command {
#define X(id, name) ACD_CTL_##id,
    ACD_CTL_COMMANDS(X)
#undef X
        ACD_CTL_COMMAND_COUNT
};

extern const char *const acd_ctl_command_names[ACD_CTL_COMMAND_COUNT];

/* The command of that name, or ACD_CTL_COMMAND_COUNT. */
enum acd_ctl_command acd_ctl_command_find(const char *name);

/* A row of the table of options. */
struct acd_ctl_option {
    const char *name;
    int letter; /* 0: none */
    bool argument;
    unsigned commands; /* those that know it: bits by enum acd_ctl_command */
};

extern const struct acd_ctl_option acd_ctl_options[];
extern const size_t acd_ctl_option_count;

/* One --set, --unset, --custom or --unset-custom. */
struct acd_ctl_change {
    bool custom; /* a custom field */
    char *name;
    char *value; /* NULL: to be removed */
};

struct acd_ctl_args {
    const char *brokers;
    const char *app;
    const char *config;      /* an accountd.conf */
    const char *key;         /* ID=FILE: commands are signed; NULL: they are not */
    const char **properties; /* librdkafka's, "name=value" */
    uint32_t property_count;
    int timeout_ms;
    bool timeout_given;
    bool json;

    bool version;
    bool help;
    enum acd_ctl_command command; /* ACD_CTL_COMMAND_COUNT: none, with version or help */
    char **accounts;
    uint32_t account_count;

    struct acd_ctl_change *changes;
    uint32_t change_count;
    const char *type;
    const char *on_exists;
    bool dry_run;
    bool confirm;
    int64_t if_revision; /* -1: not said */
    int64_t limit;       /* 0: not said */
    const char *after;
    bool all;
    const char *format;
    const char *compression;
    const char *fields; /* separated by commas */
    const char *output; /* NULL: stdout */
    const char *created_after;
    const char *created_before;
    const char *updated_after;
    const char *from_topic; /* an export's id */
    const char *rejects;    /* NULL: none are kept */
    bool resume;
    bool accept_offsets;
    bool force;
    const char *code;
    const char *since;
    const char *op;
    const char *account;
    const char *id;
    int64_t count; /* 0: not said */
    bool from_beginning;
    bool raw;
    bool no_wait;
    const char **metrics; /* daemons' addresses */
    uint32_t metrics_count;
    int interval_ms;
    bool once;
    int64_t rate; /* commands a second; 0: not said, as of the next three */
    int duration_ms;
    int64_t key_space; /* accounts */
    int64_t batch;     /* accounts of one command */
    const char *mix;
    bool yes;
    bool keep;
};

/* Reads the command line; mistakes go to stderr, and USAGE is returned. Free `out` in any case. */
enum acd_ctl_exit acd_ctl_args_read(struct acd_ctl_args *out, int argc, char **argv)
    __attribute__((warn_unused_result));

void acd_ctl_args_free(struct acd_ctl_args *args);

#endif
