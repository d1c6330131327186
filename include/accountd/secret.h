/* secret.h: secrets are never in the settings, but in files that the settings name.
 *
 * A name that begins with a slash is a path. Any other one is that of a systemd credential (LoadCredential=),
 * a file in $CREDENTIALS_DIRECTORY. The secret is the first line of the file.
 */
#ifndef ACCOUNTD_SECRET_H
#define ACCOUNTD_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* The path of a secret's file. Returns 0, or -1 with the reason in `error`. */
int acd_secret_path(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* Reads a secret, terminated by a NUL. Returns 0, or -1 with the reason in `error`. */
int acd_secret_read(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* The same, for a file that nobody else may read: not the group of "others" by its mode. */
int acd_secret_read_private(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* One of librdkafka's properties, as kafka.properties has them: NAME=VALUE, or NAME_file=FILE for a secret.
 */
struct acd_property {
    char name[128]; /* as librdkafka knows it */
    char value[4097];
};

/* Takes a property apart and reads its secret. Returns 0, or -1 with the reason in `error`: it has no '=' or
 * is too long, or the file cannot be read. The caller wipes the value when it is done with it. */
int acd_property_read(const char *text, struct acd_property *out, char *error, size_t error_bytes)
    __attribute__((warn_unused_result));

/* True for NAME=VALUE of a property that is a secret, which only NAME_file=FILE may give. */
bool acd_property_tells_secret(const char *text);

#endif
