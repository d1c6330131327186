/* Which encoding a message has, and what surrounds it. */
#include <strings.h>

#include "decode.h"

#define FRAME_BYTES 5 /* Confluent: a zero and a schema id of 4 bytes */

static const struct {
    const char *type;
    enum acd_encoding encoding;
} content_types[] = {
    {"application/json", ACD_ENCODING_JSON},
    {"application/msgpack", ACD_ENCODING_MSGPACK},
    {"application/x-msgpack", ACD_ENCODING_MSGPACK},
    {"application/vnd.msgpack", ACD_ENCODING_MSGPACK},
};

const char *acd_encoding_content_type(enum acd_encoding encoding)
{
    return encoding == ACD_ENCODING_MSGPACK ? "application/msgpack" : "application/json";
}

struct acd_slice acd_codec_unframe(struct acd_slice value)
{
    if (value.len < FRAME_BYTES || value.data[0] != 0)
        return value;
    return acd_slice(value.data + FRAME_BYTES, value.len - FRAME_BYTES);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The media type without parameters and the blanks around it. */
static struct acd_slice media_type(struct acd_slice header)
{
    size_t end = 0;

    while (header.len && is_blank(header.data[0]))
        header = acd_slice(header.data + 1, header.len - 1);
    while (end < header.len && header.data[end] != ';')
        end++;
    while (end && is_blank(header.data[end - 1]))
        end--;
    return acd_slice(header.data, end);
}

static bool starts_msgpack_map(struct acd_slice value)
{
    unsigned char first = value.len ? (unsigned char)value.data[0] : 0;

    return (first >= 0x80 && first <= 0x8f) || first == 0xde || first == 0xdf;
}

enum acd_encoding acd_codec_choose(struct acd_slice content_type, struct acd_slice value)
{
    struct acd_slice type = media_type(content_type);

    for (size_t i = 0; i < sizeof(content_types) / sizeof(content_types[0]); i++)
        if (type.len == strlen(content_types[i].type) &&
            strncasecmp(type.data, content_types[i].type, type.len) == 0)
            return content_types[i].encoding;
    return starts_msgpack_map(value) ? ACD_ENCODING_MSGPACK : ACD_ENCODING_JSON;
}

const char *acd_codec_decode(enum acd_encoding encoding, struct acd_slice bytes, struct acd_arena *arena,
                             struct acd_value *out)
{
    if (!bytes.data)
        return "the value is null; send a JSON object or a MessagePack map";
    if (bytes.len == 0)
        return "the value is empty; send a JSON object or a MessagePack map";
    if (encoding == ACD_ENCODING_MSGPACK)
        return acd_msgpack_decode(bytes, arena, out);
    return acd_json_decode(bytes, arena, out);
}
