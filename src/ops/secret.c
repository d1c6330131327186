/* Secrets in files. */
#include "accountd/secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int acd_secret_read(const char *file, char *out, size_t out_bytes, char *error, size_t error_bytes)
{
    const char *directory = file[0] == '/' ? "" : getenv("CREDENTIALS_DIRECTORY");
    char path[4352];
    FILE *stream;
    char *line;

    if (!directory) {
        snprintf(error, error_bytes, "%s cannot be read: it is no path, and systemd gave no credentials",
                 file);
        return -1;
    }
    snprintf(path, sizeof(path), "%s%s%s", directory, directory[0] ? "/" : "", file);
    errno = 0;
    stream = fopen(path, "re");
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
