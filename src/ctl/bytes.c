/* UTF-8 or not is the whole question. */
#include "bytes.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "accountd/codec.h"
#include "accountd/text.h"
#include "terminal.h"

#define DUMP_WIDTH 16

static json_t *base64(struct acd_slice bytes)
{
    unsigned char *text = malloc(bytes.len / 3 * 4 + 5);
    json_t *string = NULL;

    if (text) {
        int length = EVP_EncodeBlock(text, (const unsigned char *)bytes.data, (int)bytes.len);

        string = json_stringn((const char *)text, (size_t)length);
    }
    free(text);
    return string;
}

int acd_ctl_put_bytes(json_t *object, const char *name, struct acd_slice bytes)
{
    char encoded[64];

    if (!bytes.data)
        return json_object_set_new(object, name, json_null());
    if (acd_utf8_valid(bytes))
        return json_object_set_new(object, name, json_stringn(bytes.data, bytes.len));
    (void)snprintf(encoded, sizeof(encoded), "%s_base64", name);
    return json_object_set_new(object, encoded, base64(bytes));
}

void acd_ctl_show_bytes(FILE *out, struct acd_slice bytes)
{
    if (!bytes.data) {
        (void)fputs("null", out);
    } else if (acd_utf8_valid(bytes)) {
        acd_ctl_put(out, bytes);
    } else {
        (void)fputs("hex:", out);
        for (size_t i = 0; i < bytes.len; i++)
            (void)fprintf(out, "%02x", (unsigned char)bytes.data[i]);
    }
}

void acd_ctl_hex_dump(FILE *out, struct acd_slice bytes)
{
    for (size_t at = 0; at < bytes.len; at += DUMP_WIDTH) {
        size_t count = bytes.len - at < DUMP_WIDTH ? bytes.len - at : DUMP_WIDTH;
        char letters[DUMP_WIDTH + 1] = {0};

        (void)fprintf(out, "%08zx ", at);
        for (size_t i = 0; i < DUMP_WIDTH; i++) {
            unsigned byte = i < count ? (unsigned char)bytes.data[at + i] : 0;

            (void)fputs(i == DUMP_WIDTH / 2 ? " " : "", out);
            if (i < count)
                (void)fprintf(out, " %02x", byte);
            else
                (void)fputs("   ", out);
            if (i < count)
                letters[i] = (char)(byte >= 0x20 && byte < 0x7f ? byte : '.');
        }
        (void)fprintf(out, "  |%s|\n", letters);
    }
}

static json_t *tree(const struct acd_value *value);

static json_t *array_of(const struct acd_value *value)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < value->count; i++)
        (void)json_array_append_new(array, tree(&value->items[i]));
    return array;
}

static json_t *map_of(const struct acd_value *value)
{
    json_t *map = json_object();

    for (uint32_t i = 0; i < value->count; i++) {
        const struct acd_member *member = &value->members[i];
        /* The decoder lets no key with a NUL through. */
        char *key = strndup(member->key.data, member->key.len);

        if (key)
            (void)json_object_set_new(map, key, tree(&member->value));
        free(key);
    }
    return map;
}

/* As deep as the decoder has let the message be. */
static json_t *tree(const struct acd_value *value)
{
    switch (value->kind) {
    case ACD_BOOL:
        return json_boolean(value->boolean);
    case ACD_INT:
        return json_integer(value->integer);
    case ACD_DOUBLE:
        return json_real(value->number);
    case ACD_STRING:
        return json_stringn(value->string.data ? value->string.data : "", value->string.len);
    case ACD_ARRAY:
        return array_of(value);
    case ACD_MAP:
        return map_of(value);
    case ACD_NULL:
    case ACD_BYTES:
        break;
    }
    return json_null();
}

json_t *acd_ctl_body(struct acd_arena *arena, struct acd_slice content_type, struct acd_slice value)
{
    struct acd_value map;
    enum acd_encoding encoding;

    if (value.len == 0)
        return NULL;
    encoding = acd_codec_choose(content_type, value);
    return acd_codec_decode(encoding, value, arena, &map) ? NULL : tree(&map);
}

int acd_ctl_json_line(FILE *out, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (!text)
        return -1;
    acd_ctl_put_json(out, acd_slice_str(text));
    (void)fputc('\n', out);
    free(text);
    return 0;
}
