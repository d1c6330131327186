/* The settings file: it is refused with FILE:LINE and a reason, or read; what was read is printed, and read
 * from that as the same. The input is the file, and then the environment, a variable a line. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "accountd/settings.h"
#include "fuzz.h"
#include "ops/settings_table.h"

/* A file in memory, and its name. */
struct file {
    int fd;
    char name[64];
};

static const struct file *file_with(const void *bytes, size_t len)
{
    static struct file file = {.fd = -1};

    if (file.fd < 0) {
        file.fd = memfd_create("settings", MFD_CLOEXEC);
        snprintf(file.name, sizeof(file.name), "/proc/self/fd/%d", file.fd);
    }
    FUZZ_CHECK(file.fd >= 0 && ftruncate(file.fd, 0) == 0 && pwrite(file.fd, bytes, len, 0) == (ssize_t)len,
               "no file in memory");
    return &file;
}

/* Other files are none of an input's business, nor are libraries that librdkafka would load. */
static bool stays_inside(const uint8_t *data, size_t size)
{
    return !memmem(data, size, "@include", 8) && !memmem(data, size, "plugin", 6);
}

static void check_errors(const struct file *file, int result, const char *errors, size_t len)
{
    size_t name = strlen(file->name);
    const char *line = errors + name;

    FUZZ_CHECK((result == 0) == (len == 0), "read: %d, with these errors: %s", result, errors);
    if (len == 0)
        return;
    FUZZ_CHECK(result == -1 && errors[len - 1] == '\n', "no whole lines: %s", errors);
    FUZZ_CHECK(strncmp(errors, file->name, name) == 0 && line[0] == ':' && line[1] >= '1' && line[1] <= '9',
               "no FILE:LINE: %s", errors);
}

/* Reads the bytes; what is wrong with them is in *errors, which the caller frees. */
static int read_settings(const void *bytes, size_t len, struct acd_settings *settings, char **errors)
{
    const struct file *file = file_with(bytes, len);
    size_t errors_len = 0;
    FILE *stream = open_memstream(errors, &errors_len);
    int result;

    FUZZ_CHECK(stream && acd_settings_default(settings) == 0, "no memory");
    result = acd_settings_read(settings, file->name, NULL, stream);
    fclose(stream);
    check_errors(file, result, *errors, errors_len);
    return result;
}

/* What was taken is what the table allows. */
static void check_values(struct acd_settings *settings)
{
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];
        void *place = acd_setting_place(setting, settings);
        int64_t value = setting->kind == ACD_SETTING_BOOL     ? *(bool *)place
                        : setting->kind == ACD_SETTING_INT    ? *(int64_t *)place
                        : setting->kind == ACD_SETTING_STRING ? (int64_t)strlen(*(char **)place)
                                                              : setting->min;

        FUZZ_CHECK(value >= setting->min && value <= setting->max, "%s.%s is %lld", setting->group,
                   setting->name, (long long)value);
    }
}

static char *print(const struct acd_settings *settings, size_t *len)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, len);

    FUZZ_CHECK(stream, "no memory");
    acd_settings_print(settings, stream);
    fclose(stream);
    return text;
}

static void check_print(const struct acd_settings *settings)
{
    struct acd_settings again;
    size_t first_len;
    size_t second_len;
    char *first = print(settings, &first_len);
    char *errors = NULL;
    char *second;

    FUZZ_CHECK(read_settings(first, first_len, &again, &errors) == 0, "what was printed is refused: %s\n%s",
               errors, first);
    second = print(&again, &second_len);
    FUZZ_CHECK(first_len == second_len && memcmp(first, second, first_len) == 0,
               "printed:\n%s\nand then:\n%s", first, second);
    free(errors);
    free(first);
    free(second);
    acd_settings_free(&again);
}

/* The lines of the input as an environment. */
static void check_environment(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size);
    char *environment[65] = {NULL};
    struct acd_settings settings;
    char *errors = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&errors, &len);
    char *rest = text;
    int result;

    FUZZ_CHECK(text && stream && acd_settings_default(&settings) == 0, "no memory");
    for (size_t i = 0; i < 64 && rest; i++)
        environment[i] = strsep(&rest, "\n");
    result = acd_settings_read(&settings, NULL, environment, stream);
    fclose(stream);
    FUZZ_CHECK((result == 0) == (len == 0), "read: %d, with these errors: %s", result, errors);
    FUZZ_CHECK(len == 0 || strncmp(errors, "ACCOUNTD_", 9) == 0, "no source: %s", errors);
    if (result == 0)
        check_values(&settings);
    acd_settings_free(&settings);
    free(errors);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acd_settings settings;
    char *errors = NULL;

    if (!stays_inside(data, size))
        return -1;
    check_environment(data, size);
    if (read_settings(data, size, &settings, &errors) == 0) {
        check_values(&settings);
        check_print(&settings);
    }
    free(errors);
    acd_settings_free(&settings);
    return 0;
}
