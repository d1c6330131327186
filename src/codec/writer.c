/* Values → JSON or MessagePack.
 *
 * Every command is answered through here, so JSON is written in one pass: bytes that need no escaping are
 * copied in runs, into room that is reserved once a string.
 */
#include <assert.h>
#include <msgpack.h>

#include "accountd/codec.h"
#include "accountd/text.h"

#define FIRST_BYTES  512 /* what a reply or a record needs most of the time */
#define ESCAPE_BYTES 6   /* \u001f */

void acd_writer_init(struct acd_writer *writer, enum acd_encoding encoding, struct acd_arena *arena)
{
    writer->encoding = encoding;
    writer->depth = 0;
    writer->after_key = false;
    acd_buffer_init(&writer->buffer, arena, FIRST_BYTES);
}

static int write_packed(void *buffer, const char *bytes, size_t len)
{
    acd_buffer_add(buffer, bytes, len);
    return 0;
}

static msgpack_packer packer(struct acd_writer *writer)
{
    return (msgpack_packer){&writer->buffer, write_packed};
}

static bool is_json(const struct acd_writer *writer)
{
    return writer->encoding == ACD_ENCODING_JSON;
}

/* JSON: the comma before a key or item, where one is due. */
static void separate(struct acd_writer *writer)
{
    if (writer->depth && !writer->after_key) {
        bool *first = &writer->first[writer->depth - 1];

        if (!*first)
            acd_buffer_add_char(&writer->buffer, ',');
        *first = false;
    }
    writer->after_key = false;
}

static void open_json(struct acd_writer *writer, char opening, char closing)
{
    separate(writer);
    acd_buffer_add_char(&writer->buffer, opening);
    assert(writer->depth < ACD_DEPTH_MAX);
    writer->first[writer->depth] = true;
    writer->closing[writer->depth] = closing;
    writer->depth++;
}

void acd_writer_map(struct acd_writer *writer, uint32_t members)
{
    msgpack_packer pack = packer(writer);

    if (is_json(writer))
        open_json(writer, '{', '}');
    else
        msgpack_pack_map(&pack, members);
}

void acd_writer_array(struct acd_writer *writer, uint32_t items)
{
    msgpack_packer pack = packer(writer);

    if (is_json(writer))
        open_json(writer, '[', ']');
    else
        msgpack_pack_array(&pack, items);
}

void acd_writer_end(struct acd_writer *writer)
{
    if (!is_json(writer))
        return;
    assert(writer->depth > 0);
    writer->depth--;
    acd_buffer_add_char(&writer->buffer, writer->closing[writer->depth]);
}

/* Of each byte. 0: stands for itself; 'u': as \u00XX; else the letter after the backslash. */
static const char escapes[256] = {
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',         'u',
    'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', ['"'] = '"', ['\\'] = '\\',
};

static char *put_escape(char *to, unsigned char c)
{
    char escape = escapes[c];

    *to++ = '\\';
    *to++ = escape;
    if (escape == 'u') {
        memcpy(to, c < 0x10 ? "000" : "001", 3);
        to[3] = "0123456789abcdef"[c & 0x0f];
        to += 4;
    }
    return to;
}

static void add_json_string(struct acd_buffer *buffer, struct acd_slice text)
{
    char *to = acd_buffer_reserve(buffer, text.len + 2);
    size_t done = 0;

    *to++ = '"';
    while (done < text.len) {
        size_t run = done;

        while (run < text.len && !escapes[(unsigned char)text.data[run]])
            run++;
        memcpy(to, text.data + done, run - done);
        to += run - done;
        done = run;
        if (done < text.len) {
            buffer->len = (size_t)(to - buffer->data);
            to = acd_buffer_reserve(buffer, ESCAPE_BYTES + (text.len - done));
            to = put_escape(to, (unsigned char)text.data[done++]);
        }
    }
    *to++ = '"';
    buffer->len = (size_t)(to - buffer->data);
}

/* Text that holds nothing to escape. */
static void add_json_plain(struct acd_buffer *buffer, struct acd_slice text, bool colon)
{
    char *to = acd_buffer_reserve(buffer, text.len + 3);

    *to++ = '"';
    memcpy(to, text.data, text.len);
    to += text.len;
    *to++ = '"';
    if (colon)
        *to++ = ':';
    buffer->len = (size_t)(to - buffer->data);
}

static void pack_string(struct acd_writer *writer, struct acd_slice text)
{
    msgpack_packer pack = packer(writer);

    msgpack_pack_str(&pack, text.len);
    msgpack_pack_str_body(&pack, text.data, text.len);
}

void acd_writer_key(struct acd_writer *writer, const char *key)
{
    if (!is_json(writer)) {
        pack_string(writer, acd_slice_str(key));
        return;
    }
    separate(writer);
    add_json_plain(&writer->buffer, acd_slice_str(key), true);
    writer->after_key = true;
}

void acd_writer_key_slice(struct acd_writer *writer, struct acd_slice key)
{
    acd_writer_string(writer, key);
    if (is_json(writer)) {
        acd_buffer_add_char(&writer->buffer, ':');
        writer->after_key = true;
    }
}

void acd_writer_string(struct acd_writer *writer, struct acd_slice text)
{
    if (!is_json(writer)) {
        pack_string(writer, text);
        return;
    }
    separate(writer);
    add_json_string(&writer->buffer, text);
}

void acd_writer_str(struct acd_writer *writer, const char *text)
{
    acd_writer_string(writer, acd_slice_str(text));
}

void acd_writer_int(struct acd_writer *writer, int64_t number)
{
    msgpack_packer pack = packer(writer);

    if (!is_json(writer)) {
        msgpack_pack_int64(&pack, number);
        return;
    }
    separate(writer);
    acd_buffer_add_int(&writer->buffer, number);
}

void acd_writer_bool(struct acd_writer *writer, bool value)
{
    msgpack_packer pack = packer(writer);

    if (is_json(writer)) {
        separate(writer);
        acd_buffer_add_str(&writer->buffer, value ? "true" : "false");
    } else if (value) {
        msgpack_pack_true(&pack);
    } else {
        msgpack_pack_false(&pack);
    }
}

void acd_writer_null(struct acd_writer *writer)
{
    msgpack_packer pack = packer(writer);

    if (is_json(writer)) {
        separate(writer);
        acd_buffer_add_str(&writer->buffer, "null");
    } else {
        msgpack_pack_nil(&pack);
    }
}

void acd_writer_time(struct acd_writer *writer, int64_t ms)
{
    char text[ACD_TIME_BYTES];

    acd_time_format(ms, text);
    if (!is_json(writer)) {
        pack_string(writer, acd_slice(text, ACD_TIME_BYTES - 1));
        return;
    }
    separate(writer);
    add_json_plain(&writer->buffer, acd_slice(text, ACD_TIME_BYTES - 1), false);
}
