/* Secrets in files. */
#include "accountd/secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The mode of an open file, when others may read it; else 0. systemd's credentials have an entry for the
 * service's user, which shows as rights of the group: these do not count. */
static unsigned mode_for_others(FILE *stream)
{
    struct stat status;

    return fstat(fileno(stream), &status) == 0 && status.st_mode & S_IRWXO ? status.st_mode & 0777 : 0;
}

int acd_secret_path(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
{
    const char *directory = file[0] == '/' ? "" : getenv("CREDENTIALS_DIRECTORY");

    if (directory)
        snprintf(out, out_bytes, "%s%s%s", directory, directory[0] ? "/" : "", file);
    else
        snprintf(error, error_bytes, "%s cannot be read: it is no path, and systemd gave no credentials",
                 file);
    return directory ? 0 : -1;
}

static int read_secret(const char *file, bool private, char *out, size_t out_bytes, char *error,
                       size_t error_bytes)
{
    char path[4352];
    FILE *stream;
    char *line;

    if (acd_secret_path(file, path, sizeof(path), error, error_bytes))
        return -1;
    errno = 0;
    stream = fopen(path, "re");
    if (stream && private && mode_for_others(stream)) {
        snprintf(error, error_bytes, "%s is not taken: with mode %03o everybody may read it; chmod o= helps",
                 path, mode_for_others(stream));
        fclose(stream);
        return -1;
    }
    line = stream ? fgets(out, (int)out_bytes, stream) : NULL;
    if (!line)
        snprintf(error, error_bytes, "%s cannot be read: %s", path, errno ? strerror(errno) : "it is empty");
    if (stream)
        fclose(stream);
    if (!line)
        return -1;
    out[strcspn(out, "\r\n")] = '\0';
    return 0;
}

int acd_secret_read(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
{
    return read_secret(file, false, out, out_bytes, error, error_bytes);
}

int acd_secret_read_private(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
{
    return read_secret(file, true, out, out_bytes, error, error_bytes);
}

int acd_property_read(const char *text, struct acd_property *out, char *error, size_t error_bytes)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    bool secret = len > 5 && memcmp(equals - 5, "_file", 5) == 0;

    if (!equals || equals == text || len >= sizeof(out->name) || strlen(equals + 1) >= sizeof(out->value)) {
        snprintf(error, error_bytes, "'%.80s' must be NAME=VALUE", text);
        return -1;
    }
    snprintf(out->name, sizeof(out->name), "%.*s", (int)(secret ? len - 5 : len), text);
    if (secret)
        return acd_secret_read(equals + 1, out->value, sizeof(out->value), error, error_bytes);
    snprintf(out->value, sizeof(out->value), "%s", equals + 1);
    return 0;
}
