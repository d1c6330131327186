/* Two buffers: what the file holds, and what it unpacks to. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "../suffix.h"

#define CHUNK_BYTES ((size_t)128 * 1024)

/* zlib's code for "gzip, with the largest window". */
#define GZIP_WINDOW (15 + 16)

struct acd_ctl_source {
    int fd;
    bool file;
    int64_t size;
    int64_t position;
    enum acd_format format;
    enum acd_compression compression;
    bool ended; /* nothing more comes from the file */
    const volatile sig_atomic_t *interrupted;
    z_stream gzip;
    bool gzip_open;  /* inflateEnd is due */
    bool mid_member; /* gzip or zstd: the end of the file would come too early */
    ZSTD_DCtx *zstd;
    char error[ACD_CTL_SOURCE_ERROR];
    size_t in_start; /* what is not unpacked yet */
    size_t in_end;
    size_t out_start; /* what is not taken yet */
    size_t out_end;
    char in[CHUNK_BYTES];
    char out[CHUNK_BYTES];
};

enum acd_format acd_ctl_format_of_bytes(struct acd_slice bytes)
{
    unsigned char first;
    size_t i = 0;

    if (bytes.len >= 3 && memcmp(bytes.data, "\xef\xbb\xbf", 3) == 0)
        i = 3;
    while (i < bytes.len && strchr(" \t\r\n", bytes.data[i]) && bytes.data[i])
        i++;
    if (i == bytes.len)
        return ACD_NDJSON;
    first = (unsigned char)bytes.data[i];
    if (first == '{')
        return ACD_NDJSON;
    if (first == '[')
        return ACD_JSON;
    /* The first bytes of maps; UTF-8 has letters that begin with df, but no export's header does. */
    if ((first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf)
        return ACD_MSGPACK;
    return ACD_CSV;
}

static bool fail(struct acd_ctl_source *source, const char *what)
{
    (void)snprintf(source->error, sizeof(source->error), "%s", what);
    return false;
}

/* Makes `in` hold something, where the file has something. */
static bool fill(struct acd_ctl_source *source)
{
    ssize_t got;

    if (source->in_start < source->in_end || source->ended)
        return true;
    source->in_start = source->in_end = 0;
    got = read(source->fd, source->in, sizeof(source->in));
    if (got < 0)
        return fail(source, strerror(errno));
    source->ended = got == 0;
    source->in_end = (size_t)got;
    source->position += got;
    return true;
}

static bool unpack_none(struct acd_ctl_source *source)
{
    if (!fill(source))
        return false;
    source->out_end = source->in_end - source->in_start;
    memcpy(source->out, source->in + source->in_start, source->out_end);
    source->in_start = source->in_end;
    return true;
}

/* A file may be several that were packed one by one. */
static bool unpack_gzip(struct acd_ctl_source *source)
{
    while (source->out_end == 0) {
        int rc;

        if (!fill(source))
            return false;
        if (source->in_start == source->in_end)
            return !source->mid_member || fail(source, "the gzip data ends too early");
        source->gzip.next_in = (Bytef *)source->in + source->in_start;
        source->gzip.avail_in = (uInt)(source->in_end - source->in_start);
        source->gzip.next_out = (Bytef *)source->out;
        source->gzip.avail_out = sizeof(source->out);
        rc = inflate(&source->gzip, Z_NO_FLUSH);
        source->in_start = source->in_end - source->gzip.avail_in;
        source->out_end = sizeof(source->out) - source->gzip.avail_out;
        source->mid_member = rc != Z_STREAM_END;
        if (rc == Z_STREAM_END)
            rc = inflateReset(&source->gzip);
        if (rc != Z_OK && rc != Z_BUF_ERROR)
            return fail(source, "the gzip data is broken");
    }
    return true;
}

static bool unpack_zstd(struct acd_ctl_source *source)
{
    while (source->out_end == 0) {
        ZSTD_inBuffer in;
        ZSTD_outBuffer out = {source->out, sizeof(source->out), 0};
        size_t rc;

        if (!fill(source))
            return false;
        if (source->in_start == source->in_end && !source->mid_member)
            return true;
        in = (ZSTD_inBuffer){source->in + source->in_start, source->in_end - source->in_start, 0};
        rc = ZSTD_decompressStream(source->zstd, &out, &in);
        if (ZSTD_isError(rc)) {
            (void)snprintf(source->error, sizeof(source->error), "the zstd data is broken: %s",
                           ZSTD_getErrorName(rc));
            return false;
        }
        if (in.size == 0 && out.pos == 0)
            return fail(source, "the zstd data ends too early");
        source->in_start += in.pos;
        source->out_end = out.pos;
        source->mid_member = rc != 0;
    }
    return true;
}

/* Of a line without end nothing else would tell. */
static bool is_interrupted(struct acd_ctl_source *source)
{
    return source->interrupted && *source->interrupted && !fail(source, "interrupted");
}

struct acd_slice acd_ctl_source_look(struct acd_ctl_source *source)
{
    static bool (*const unpack[])(struct acd_ctl_source *) = {
        [ACD_PLAIN] = unpack_none, [ACD_GZIP] = unpack_gzip, [ACD_ZSTD] = unpack_zstd};

    if (source->out_start == source->out_end) {
        source->out_start = source->out_end = 0;
        source->error[0] = '\0';
        if (is_interrupted(source) || !unpack[source->compression](source))
            return acd_slice(NULL, 0);
    }
    return acd_slice(source->out + source->out_start, source->out_end - source->out_start);
}

void acd_ctl_source_take(struct acd_ctl_source *source, size_t bytes)
{
    source->out_start += bytes;
}

static bool starts_with(const struct acd_ctl_source *source, const char *magic, size_t len)
{
    return source->in_end >= len && memcmp(source->in, magic, len) == 0;
}

/* How the first bytes say that the file is packed. */
static enum acd_compression packed_by_bytes(const struct acd_ctl_source *source)
{
    if (starts_with(source, "\x1f\x8b", 2))
        return ACD_GZIP;
    /* Frames that are to be skipped come first where threads have packed it. */
    if (starts_with(source, "\x28\xb5\x2f\xfd", 4) ||
        (source->in_end >= 4 && (source->in[0] & 0xf0) == 0x50 &&
         memcmp(source->in + 1, "\x2a\x4d\x18", 3) == 0))
        return ACD_ZSTD;
    return ACD_PLAIN;
}

/* What others pack by would otherwise be told as CSV that cannot be read. */
static bool refuse_foreign(struct acd_ctl_source *source)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *what;
    } known[] = {{"BZh", 3, "bzip2"},
                 {"\xfd\x37zXZ", 5, "xz"},
                 {"PK\x03\x04", 4, "zip"},
                 {"\x04\x22\x4d\x18", 4, "lz4"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (!starts_with(source, known[i].magic, known[i].len))
            continue;
        (void)snprintf(source->error, sizeof(source->error),
                       "this is packed by %s; unpack it first, or pack it by gzip or zstd", known[i].what);
        return false;
    }
    return true;
}

/* The name decides before the bytes, and the command line before both; but what the bytes are not is refused.
 */
static bool choose_compression(struct acd_ctl_source *source, const struct acd_ctl_source_wish *wish)
{
    struct acd_ctl_suffix suffix = acd_ctl_suffix_of(wish->path);
    enum acd_compression packed = packed_by_bytes(source);

    if (wish->compression) {
        while (source->compression < ACD_ZSTD &&
               strcmp(acd_compression_text(source->compression), wish->compression) != 0)
            source->compression++;
    } else {
        source->compression = suffix.has_compression ? suffix.compression : packed;
    }
    if (source->compression != ACD_PLAIN && source->compression != packed && source->in_end >= 4) {
        (void)snprintf(source->error, sizeof(source->error), "%s says %s, but the file is %s%s",
                       wish->compression ? "--compression" : "its name",
                       acd_compression_text(source->compression), packed == ACD_PLAIN ? "not" : "",
                       packed == ACD_PLAIN ? "" : acd_compression_text(packed));
        return false;
    }
    if (source->compression == ACD_PLAIN && !refuse_foreign(source))
        return false;
    source->mid_member = true; /* what is packed is never without a byte */
    if (source->compression == ACD_GZIP)
        source->gzip_open = inflateInit2(&source->gzip, GZIP_WINDOW) == Z_OK;
    if (source->compression == ACD_ZSTD)
        source->zstd = ZSTD_createDCtx();
    return source->compression == ACD_PLAIN || source->gzip_open || source->zstd ||
           fail(source, "out of memory");
}

static void choose_format(struct acd_ctl_source *source, const struct acd_ctl_source_wish *wish,
                          struct acd_slice bytes)
{
    struct acd_ctl_suffix suffix = acd_ctl_suffix_of(wish->path);

    if (wish->format) {
        while (source->format < ACD_MSGPACK && strcmp(acd_format_text(source->format), wish->format) != 0)
            source->format++;
    } else {
        source->format = suffix.has_format ? suffix.format : acd_ctl_format_of_bytes(bytes);
    }
}

static bool begin(struct acd_ctl_source *source, const struct acd_ctl_source_wish *wish)
{
    bool standard = strcmp(wish->path, "-") == 0;
    struct acd_slice bytes;
    struct stat status;

    source->interrupted = wish->interrupted;
    source->fd = standard ? STDIN_FILENO : open(wish->path, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0 || fstat(source->fd, &status))
        return fail(source, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return fail(source, strerror(EISDIR));
    /* /dev/stdin and /dev/fd/3 may be files, but nothing is kept beside them. */
    source->file = !standard && S_ISREG(status.st_mode) && strncmp(wish->path, "/dev/", 5) != 0;
    source->size = S_ISREG(status.st_mode) ? status.st_size : 0;
    if (!fill(source) || !choose_compression(source, wish))
        return false;
    bytes = acd_ctl_source_look(source);
    if (!bytes.data)
        return false;
    choose_format(source, wish, bytes);
    if (source->format != ACD_MSGPACK && bytes.len >= 3 && memcmp(bytes.data, "\xef\xbb\xbf", 3) == 0)
        acd_ctl_source_take(source, 3);
    if (source->format != ACD_MSGPACK && bytes.len >= 2 &&
        (memcmp(bytes.data, "\xff\xfe", 2) == 0 || memcmp(bytes.data, "\xfe\xff", 2) == 0))
        return fail(source, "this is UTF-16; save it as UTF-8");
    return true;
}

struct acd_ctl_source *acd_ctl_source_open(const struct acd_ctl_source_wish *wish, char *error)
{
    struct acd_ctl_source *source = calloc(1, sizeof(*source));

    if (!source) {
        (void)snprintf(error, ACD_CTL_SOURCE_ERROR, "out of memory");
        return NULL;
    }
    if (begin(source, wish))
        return source;
    memcpy(error, source->error, ACD_CTL_SOURCE_ERROR);
    acd_ctl_source_close(source);
    return NULL;
}

void acd_ctl_source_close(struct acd_ctl_source *source)
{
    if (!source)
        return;
    if (source->fd > STDIN_FILENO)
        (void)close(source->fd);
    if (source->gzip_open)
        (void)inflateEnd(&source->gzip);
    (void)ZSTD_freeDCtx(source->zstd);
    free(source);
}

enum acd_format acd_ctl_source_format(const struct acd_ctl_source *source)
{
    return source->format;
}

const char *acd_ctl_source_error(const struct acd_ctl_source *source)
{
    return source->error[0] ? source->error : NULL;
}

int64_t acd_ctl_source_position(const struct acd_ctl_source *source)
{
    return source->position - (int64_t)(source->in_end - source->in_start);
}

int64_t acd_ctl_source_size(const struct acd_ctl_source *source)
{
    return source->size;
}

bool acd_ctl_source_is_file(const struct acd_ctl_source *source)
{
    return source->file;
}

int acd_ctl_source_digest(struct acd_ctl_source *source, unsigned char out[32])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    char buffer[16384];
    off_t at = 0;
    ssize_t got = -1;
    int result = -1;

    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL)) {
        while (!is_interrupted(source) && (got = pread(source->fd, buffer, sizeof(buffer), at)) > 0 &&
               EVP_DigestUpdate(context, buffer, (size_t)got))
            at += got;
        if (got == 0 && EVP_DigestFinal_ex(context, out, NULL))
            result = 0;
    }
    EVP_MD_CTX_free(context);
    return result;
}
