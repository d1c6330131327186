/* docs/metrics.md lists the metrics that the page has, with types, labels and words. With ACD_WRITE set (make
 * metrics-docs) the list is written instead of compared. And what Prometheus wants of a page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accountd/metrics.h"
#include "support.h"

#define DOCUMENT ACD_SOURCE_DIR "/docs/metrics.md"

/* The list is the end of the document, from here on. */
#define HEAD "| metric | type | labels | what it is |\n|---|---|---|---|\n"

static char *page_text(void)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    acd_metric_partition_lag(0, 0); /* or its label would not show */
    acd_metrics_print(out);
    fclose(out);
    return text;
}

/* The names of a sample's labels, but for a histogram's own. */
static void print_labels(const char *sample, FILE *out)
{
    const char *at = strpbrk(sample, "{\n");
    const char *comma = "";

    while (*at == '{' || *at == ',') {
        size_t len = strcspn(++at, "=");

        if (strncmp(at, "le=", 3) != 0) {
            fprintf(out, "%s`%.*s`", comma, (int)len, at);
            comma = ", ";
        }
        at = strchr(at + len + 2, '"') + 1;
    }
}

/* One row for each "# HELP name words", "# TYPE name type" and the sample after them. */
static char *list_text(const char *page)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    for (const char *at = page; (at = strstr(at, "# HELP ")); at++) {
        const char *name = at + strlen("# HELP ");
        size_t name_len = strcspn(name, " ");
        const char *help = name + name_len + 1;
        const char *type = strchr(help, '\n') + strlen("\n# TYPE ") + name_len + 1;
        const char *sample = strchr(type, '\n') + 1;

        fprintf(out, "| `%.*s` | %.*s | ", (int)name_len, name, (int)strcspn(type, "\n"), type);
        print_labels(sample, out);
        fprintf(out, " | %.*s |\n", (int)strcspn(help, "\n"), help);
    }
    fclose(out);
    return text;
}

static void test_document(void **state)
{
    char *page = page_text();
    char *wanted = list_text(page);
    char *found = test_read_whole(DOCUMENT);
    char *list = strstr(found, HEAD);
    FILE *file;

    assert_non_null(list);
    list += strlen(HEAD);
    if (getenv("ACD_WRITE")) {
        file = fopen(DOCUMENT, "w");
        assert_non_null(file);
        assert_true(fprintf(file, "%.*s%s", (int)(list - found), found, wanted) > 0);
        assert_int_equal(fclose(file), 0);
    } else if (strcmp(list, wanted) != 0) {
        fail_msg("docs/metrics.md is not what the page of metrics says: run make metrics-docs");
    }
    free(page);
    free(wanted);
    free(found);
}

/* A family stands in one place, and every metric has a line from the start. */
static void test_families(void **state)
{
    char *page = page_text();
    char *list = list_text(page);
    uint32_t rows = 0;

    for (const char *row = list; *row; row = strchr(row, '\n') + 1) {
        char head[128];

        snprintf(head, sizeof(head), "%.*s", (int)strcspn(row + 3, "|") + 3, row);
        assert_null(strstr(row + 1, head));
        rows++;
    }
    assert_true(rows > 30);
#define X(id, kind, name, labels, help) assert_non_null(strstr(page, "\n" name));
    ACD_METRICS(X)
#undef X
    free(page);
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_document), cmocka_unit_test(test_families)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
