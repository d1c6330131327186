/* The sample file and the man page's list of settings are what the table says. With ACD_WRITE set (make
 * settings-docs) they are written instead of compared. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/ops/settings_table.h"
#include "support.h"

#define SAMPLE ACD_SOURCE_DIR "/docs/accountd.conf"
#define MAN    ACD_SOURCE_DIR "/docs/man/accountd.conf.5.scd"

/* scdoc's comments around the generated part. */
#define BEGIN "; settings: begin, written by make settings-docs\n"
#define END   "; settings: end\n"

static void write_whole(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What would be markup to scdoc. */
static void print_escaped(const char *text, FILE *out)
{
    for (; *text; text++) {
        if (strchr("*_\\#[]<>", *text))
            putc('\\', out);
        putc(*text, out);
    }
}

static void print_kind(const struct acd_setting *setting, FILE *out)
{
    if (setting->kind == ACD_SETTING_BOOL)
        fprintf(out, "true or false; default %s", setting->number ? "true" : "false");
    if (setting->kind == ACD_SETTING_INT)
        fprintf(out, "integer, %lld to %lld; default %lld", (long long)setting->min, (long long)setting->max,
                (long long)setting->number);
    if (setting->kind == ACD_SETTING_STRING)
        fprintf(out, "string; default \"%s\"", setting->text);
    if (setting->kind == ACD_SETTING_LIST)
        fputs("list of strings; default []", out);
    if (setting->live)
        fputs("; reload", out);
}

/* One entry: path, kind, range and default, what it means. */
static void print_entry(const struct acd_setting *setting, FILE *out)
{
    char kind[512] = "";
    char path[64];
    FILE *stream = fmemopen(kind, sizeof(kind), "w");

    assert_non_null(stream);
    print_kind(setting, stream);
    fclose(stream);
    fputs("*", out);
    print_escaped(acd_setting_path(setting, path, sizeof(path)), out);
    fputs("* (", out);
    print_escaped(kind, out);
    fputs(")\n\t", out);
    print_escaped(setting->help, out);
    fputs("\n\n", out);
}

static char *man_section(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    fputs(BEGIN "\n", out);
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++)
        print_entry(&acd_setting_table[i], out);
    fputs(END, out);
    fclose(out);
    return text;
}

static char *sample_text(void)
{
    struct acd_settings defaults;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    assert_int_equal(acd_settings_default(&defaults), 0);
    acd_settings_print(&defaults, out);
    fclose(out);
    acd_settings_free(&defaults);
    return text;
}

/* Compares, or writes, a document that has the wanted text between `before` and `after`. */
static void compare(const char *path, const char *found, const char *before, size_t before_len,
                    const char *wanted, const char *after)
{
    size_t bytes = before_len + strlen(wanted) + strlen(after) + 1;
    char *whole = malloc(bytes);

    assert_non_null(whole);
    snprintf(whole, bytes, "%.*s%s%s", (int)before_len, before, wanted, after);
    if (getenv("ACD_WRITE"))
        write_whole(path, whole);
    else if (strcmp(found, whole) != 0)
        fail_msg("%s is not what src/ops/settings.c says: run make settings-docs", path);
    free(whole);
}

static void test_sample(void **state)
{
    char *found = test_read_whole(SAMPLE);
    char *wanted = sample_text();

    compare(SAMPLE, found, "", 0, wanted, "");
    free(found);
    free(wanted);
}

static void test_man(void **state)
{
    char *found = test_read_whole(MAN);
    char *begin = strstr(found, BEGIN);
    char *end = strstr(found, END);
    char *wanted = man_section();

    assert_non_null(begin);
    assert_true(end > begin);
    compare(MAN, found, found, (size_t)(begin - found), wanted, end + strlen(END));
    free(found);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sample), cmocka_unit_test(test_man)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
