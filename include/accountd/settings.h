/* settings.h: the settings, ONE table (src/ops/settings.c) for parsing, defaults, --print-config and docs.
 *
 * The struct owns its strings; free it with acd_settings_free. Once it is filled it is not changed; a reload
 * makes another one (rules.h).
 */
#ifndef ACCOUNTD_SETTINGS_H
#define ACCOUNTD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct acd_strings {
    char **items;
    uint32_t count;
};

struct acd_settings {
    struct {
        char *brokers;
        char *group;
        char *commands;
        char *replies;
        char *exports;
        char *changelog;
        char *dead_letters;
        struct acd_strings reply_topics; /* names, or ^regex$ (POSIX extended) */
        struct acd_strings properties;   /* librdkafka's, "name=value" */
    } kafka;
    struct {
        char *host;
        int64_t port;
        char *socket; /* a path; empty: host and port */
        bool tls;
        char *tls_ca_file;          /* empty: the system's authorities */
        char *tls_certificate_file; /* ours; empty: none */
        char *tls_key_file;
        char *tls_server_name; /* empty: the host */
        char *username;
        char *password_file; /* its first line is the password; empty: none */
        int64_t database;
        char *key_prefix;
    } redis;
    struct {
        bool create; /* those that are missing, at the start */
        int64_t partitions;
        int64_t replication_factor; /* 0: the broker's default */
    } topics;
    struct {
        int64_t threads;
        int64_t batch_max; /* commands */
        int64_t cache_mib;
    } worker;
    struct acd_strings apps; /* none: all are served */
    struct {
        bool required; /* commands that are not signed are refused */
        struct acd_strings keys;
        int64_t window_s;
        int64_t ids_max;
    } auth;
    struct {
        int64_t admins_per_app;
        int64_t exports;
        int64_t chunk_bytes;
        int64_t command_bytes;
    } limits;
    struct {
        char *listen; /* ADDRESS:PORT */
    } http;
    struct {
        char *level;  /* error warning info debug */
        char *format; /* text json */
    } log;
};

/* Fills in the defaults. Returns 0, or -1 without memory. */
int acd_settings_default(struct acd_settings *settings);

/* Reads a file, and then the ACCOUNTD_ variables of an environment (as environ), over the defaults; either
 * may be NULL. Every mistake is written to `errors` as "FILE:LINE: message" or "VARIABLE: message". Returns
 * 0, or -1 when there was one; the settings are then not to be used but must be freed. */
int acd_settings_read(struct acd_settings *settings, const char *file, char *const *environment,
                      FILE *errors);

/* Prepares settings that were read anew to follow the present ones: what can be changed only by a restart
 * gets the present value back. `changed` is told of each setting that differs, and whether it is `live`.
 * Returns 0, or -1 without memory. */
int acd_settings_follow(struct acd_settings *next, const struct acd_settings *present,
                        void (*changed)(void *context, const char *path, bool live), void *context);

/* Writes all settings as a file that acd_settings_read takes. */
void acd_settings_print(const struct acd_settings *settings, FILE *out);

void acd_settings_free(struct acd_settings *settings);

#endif
