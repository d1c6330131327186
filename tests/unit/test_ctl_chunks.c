/* Putting the chunks of an export together: what is taken, what is left out, what is refused. */
#include "../../src/ctl/export/chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accountd/text.h"

/* Chunks as "KEY SOURCE ATTEMPT SEQ VALUE", with ! after the value when its checksum is wrong; the file is
 * "one two" in two chunks of attempt 2. */
struct script {
    const char *name;
    const char *const *chunks;
    const char *outcome; /* the joined file, or the error */
};

static const char *hex_of(const char *value, char hex[65])
{
    unsigned char digest[32];

    assert_true(EVP_Digest(value, strlen(value), digest, NULL, EVP_sha256(), NULL));
    acd_hex_format(digest, sizeof(digest), hex);
    return hex;
}

static json_t *manifest_of(const char *file, int bytes)
{
    char hex[65];
    json_t *manifest = json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "export_id", "id", "source", "t:0:5",
                                 "attempt", 2, "chunks", 2, "bytes", bytes, "sha256", hex_of(file, hex));

    assert_non_null(manifest);
    return manifest;
}

/* Feeds one line; returns what became of it and appends a taken value to `file`. */
static enum acd_ctl_chunk_is feed(struct acd_ctl_chunks *chunks, const char *line, char *file)
{
    char key[16], source[16], attempt[16], seq[16], value[16], hex[65];
    struct acd_ctl_chunk chunk;
    enum acd_ctl_chunk_is is;
    char *wrong;

    assert_int_equal(sscanf(line, "%15s %15s %15s %15s %15s", key, source, attempt, seq, value), 5);
    wrong = strchr(value, '!');
    if (wrong)
        *wrong = '\0';
    chunk = (struct acd_ctl_chunk){
        .key = acd_slice_str(key),
        .source = acd_slice_str(source),
        .attempt = acd_slice_str(attempt),
        .seq = acd_slice_str(seq),
        .sha256 = acd_slice_str(hex_of(wrong ? "other" : value, hex)),
        .value = acd_slice_str(value),
    };
    is = acd_ctl_chunks_add(chunks, &chunk);
    if (is == ACD_CTL_CHUNK_FIRST)
        file[0] = '\0';
    if (is == ACD_CTL_CHUNK_FIRST || is == ACD_CTL_CHUNK_NEXT)
        (void)strcat(file, value);
    return is;
}

static void run(const struct script *script, const json_t *manifest)
{
    struct acd_ctl_chunks chunks;
    char file[64] = "";
    const char *outcome = file;
    enum acd_ctl_chunk_is is = ACD_CTL_CHUNK_OTHER;

    assert_int_equal(acd_ctl_chunks_init(&chunks, manifest), 0);
    for (const char *const *line = script->chunks; *line && is != ACD_CTL_CHUNK_BAD; line++)
        is = feed(&chunks, *line, file);
    if (is == ACD_CTL_CHUNK_BAD)
        outcome = chunks.error;
    else if (!acd_ctl_chunks_complete(&chunks))
        outcome = "incomplete";
    else if (acd_ctl_chunks_finish(&chunks))
        outcome = chunks.error;
    if (strcmp(outcome, script->outcome) != 0)
        fail_msg("%s: %s", script->name, outcome);
    acd_ctl_chunks_free(&chunks);
}

#define CHUNKS(...)                                                                                          \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }

static void test_scripts(void **state)
{
    const struct script table[] = {
        {"plain", CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two"), "onetwo"},
        {"between others",
         CHUNKS("id t:0:5 1 1 bad", "no t:0:5 2 1 bad", "id t:0:4 2 1 bad", "id t:0:5 2 1 one",
                "id t:0:5 1 2 bad", "id t:0:5 x 2 bad", "id t:0:5 2 2 two"),
         "onetwo"},
        {"twice", CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 1 one", "id t:0:5 2 2 two"), "onetwo"},
        {"not all", CHUNKS("id t:0:5 2 1 one"), "incomplete"},
        {"gap", CHUNKS("id t:0:5 2 2 two"), "chunk 1 of the file is missing: Kafka has deleted it already"},
        {"checksum", CHUNKS("id t:0:5 2 1 one!"), "chunk 1 of the file is not what its checksum says"},
        {"more than announced", CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two", "id t:0:5 2 3 more"),
         "the file has more chunks than the 2 that were announced"},
        {"other content", CHUNKS("id t:0:5 2 1 two", "id t:0:5 2 2 one"),
         "the file is not what its checksum says"},
        {"other length", CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 twoo"),
         "the file has 7 bytes, not the 6 that were announced"},
    };
    json_t *manifest = manifest_of("onetwo", 6);

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        run(&table[i], manifest);
    json_decref(manifest);
}

/* The manifest, of attempt 2, comes after the first lines. */
static void test_following(void **state)
{
    const struct {
        const char *name;
        const char *const *before;
        const char *const *after;
        const char *outcome;
    } table[] = {
        {"all before", CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two"), CHUNKS(NULL), "onetwo"},
        {"some before", CHUNKS("id t:0:5 2 1 one"), CHUNKS("id t:0:5 2 2 two"), "onetwo"},
        {"none before", CHUNKS(NULL), CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two"), "onetwo"},
        {"begun anew", CHUNKS("id t:0:5 1 1 old", "id t:0:5 2 1 one", "id t:0:5 1 2 old"),
         CHUNKS("id t:0:5 2 2 two"), "onetwo"},
        {"begun anew late", CHUNKS("id t:0:5 1 1 old", "id t:0:5 1 2 old", "id t:0:5 1 3 old"),
         CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two"), "onetwo"},
        {"of another command", CHUNKS("id t:0:4 3 1 bad"), CHUNKS("id t:0:5 2 1 one", "id t:0:5 2 2 two"),
         "onetwo"},
        {"without its beginning", CHUNKS("id t:0:5 2 2 two"), CHUNKS(NULL), "incomplete"},
    };
    json_t *manifest = manifest_of("onetwo", 6);

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct acd_ctl_chunks chunks;
        char file[64] = "";

        assert_int_equal(acd_ctl_chunks_follow(&chunks, acd_slice_str("id"), acd_slice_str("t:0:5")), 0);
        for (const char *const *line = table[i].before; *line; line++)
            assert_int_not_equal(feed(&chunks, *line, file), ACD_CTL_CHUNK_BAD);
        assert_false(acd_ctl_chunks_complete(&chunks));
        assert_int_equal(acd_ctl_chunks_expect(&chunks, manifest), 0);
        for (const char *const *line = table[i].after; *line; line++)
            assert_int_not_equal(feed(&chunks, *line, file), ACD_CTL_CHUNK_BAD);
        if (!acd_ctl_chunks_complete(&chunks))
            assert_string_equal(table[i].outcome, "incomplete");
        else
            assert_int_equal(acd_ctl_chunks_finish(&chunks), 0);
        if (strcmp(table[i].outcome, "incomplete") != 0 && strcmp(file, table[i].outcome) != 0)
            fail_msg("%s: %s", table[i].name, file);
        acd_ctl_chunks_free(&chunks);
    }
    json_decref(manifest);
}

static void test_manifests(void **state)
{
    static const char *const needed[] = {"export_id", "source", "attempt", "chunks", "bytes", "sha256"};
    struct acd_ctl_chunks chunks;

    assert_int_equal(acd_ctl_chunks_init(&chunks, NULL), -1);
    acd_ctl_chunks_free(&chunks);
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        json_t *manifest = manifest_of("onetwo", 6);

        assert_int_equal(json_object_del(manifest, needed[i]), 0);
        if (acd_ctl_chunks_init(&chunks, manifest) == 0)
            fail_msg("taken without %s", needed[i]);
        acd_ctl_chunks_free(&chunks);
        json_decref(manifest);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_manifests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
