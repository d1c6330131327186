/* From the end of the name: first how it is packed, then its format. */
#include "suffix.h"

#include <string.h>
#include <strings.h>

static bool has_suffix(const char *name, size_t len, const char *suffix)
{
    size_t suffix_len = strlen(suffix);

    return len > suffix_len && strncasecmp(name + len - suffix_len, suffix, suffix_len) == 0;
}

struct acd_ctl_suffix acd_ctl_suffix_of(const char *name)
{
    static const struct {
        const char *suffix;
        enum acd_compression compression;
    } packed[] = {{".gz", ACD_GZIP}, {".zst", ACD_ZSTD}};
    static const struct {
        const char *suffix;
        enum acd_format format;
    } known[] = {{".ndjson", ACD_NDJSON}, {".jsonl", ACD_NDJSON},    {".json", ACD_JSON},
                 {".csv", ACD_CSV},       {".msgpack", ACD_MSGPACK}, {".mpk", ACD_MSGPACK}};
    struct acd_ctl_suffix found = {0};
    size_t len = strlen(name);

    for (size_t i = 0; i < sizeof(packed) / sizeof(*packed) && !found.has_compression; i++) {
        if (has_suffix(name, len, packed[i].suffix)) {
            found.has_compression = true;
            found.compression = packed[i].compression;
            len -= strlen(packed[i].suffix);
        }
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(*known) && !found.has_format; i++) {
        if (has_suffix(name, len, known[i].suffix)) {
            found.has_format = true;
            found.format = known[i].format;
        }
    }
    return found;
}
