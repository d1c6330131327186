/* Secrets: from a path, and from systemd's credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "accountd/secret.h"

static char directory[] = "/tmp/accountd-test-XXXXXX";

/* Writes a file of the directory, and returns its path. */
static const char *write_file(const char *name, const char *text)
{
    static char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void test_contents(void **state)
{
    static const struct {
        const char *text;
        const char *secret; /* NULL: it cannot be read */
    } table[] = {{"hush", "hush"},     {"hush\n", "hush"}, {"hush\r\nmore\n", "hush"},
                 {" a b \n", " a b "}, {"\nmore", ""},     {"", NULL}};

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *path = write_file("secret", table[i].text);
        char error[256] = "";
        char secret[64];
        int result = acd_secret_read(path, secret, sizeof(secret), error, sizeof(error));

        assert_int_equal(result, table[i].secret ? 0 : -1);
        if (table[i].secret)
            assert_string_equal(secret, table[i].secret);
        else
            assert_non_null(strstr(error, "secret cannot be read: it is empty"));
        unlink(path);
    }
}

static void test_credentials(void **state)
{
    char error[256];
    char secret[64];
    const char *path = write_file("kafka", "hush\n");

    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(acd_secret_read("kafka", secret, sizeof(secret), error, sizeof(error)), -1);
    assert_string_equal(error, "kafka cannot be read: it is no path, and systemd gave no credentials");
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    assert_int_equal(acd_secret_read("kafka", secret, sizeof(secret), error, sizeof(error)), 0);
    assert_string_equal(secret, "hush");
    unlink(path);
    assert_int_equal(acd_secret_read("kafka", secret, sizeof(secret), error, sizeof(error)), -1);
    assert_non_null(strstr(error, "/kafka cannot be read: No such file or directory"));
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_properties(void **state)
{
    struct acd_property property;
    char error[256];
    char text[256];
    const char *path = write_file("password", "a=b\n");

    assert_int_equal(acd_property_read("linger.ms=5", &property, error, sizeof(error)), 0);
    assert_string_equal(property.name, "linger.ms");
    assert_string_equal(property.value, "5");
    snprintf(text, sizeof(text), "sasl.password_file=%s", path);
    assert_int_equal(acd_property_read(text, &property, error, sizeof(error)), 0);
    assert_string_equal(property.name, "sasl.password");
    assert_string_equal(property.value, "a=b");
    unlink(path);
    assert_int_equal(acd_property_read(text, &property, error, sizeof(error)), -1);
    assert_int_equal(acd_property_read("_file=/x", &property, error, sizeof(error)), 0);
    assert_string_equal(property.name, "_file");
    assert_int_equal(acd_property_read("nonsense", &property, error, sizeof(error)), -1);
    assert_string_equal(error, "'nonsense' must be NAME=VALUE");
    assert_int_equal(acd_property_read("=x", &property, error, sizeof(error)), -1);
}

static int make_directory(void **state)
{
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
