/* Files, whole. */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

char *test_read_whole(const char *path)
{
    enum { BYTES = 1 << 18 };
    char *text = calloc(1, BYTES);
    FILE *file = fopen(path, "r");

    assert_non_null(text);
    if (!file)
        fail_msg("%s cannot be read", path);
    assert_true(fread(text, 1, BYTES - 1, file) < BYTES - 1);
    fclose(file);
    return text;
}
