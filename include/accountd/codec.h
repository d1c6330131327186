/* codec.h: bytes of a message → acd_value, and values → bytes, in JSON and MessagePack.
 *
 * Decoders bound everything by the bytes that are there: a message never makes them allocate more than a
 * small multiple of its own size, nor recurse deeper than ACD_DEPTH_MAX.
 */
#ifndef ACCOUNTD_CODEC_H
#define ACCOUNTD_CODEC_H

#include "accountd/arena.h"
#include "accountd/buffer.h"
#include "accountd/value.h"

enum acd_encoding { ACD_ENCODING_JSON, ACD_ENCODING_MSGPACK };

/* "application/json" or "application/msgpack". */
const char *acd_encoding_content_type(enum acd_encoding encoding);

/* Skips Confluent framing (0x00 and a 4-byte schema id), where there is one. */
struct acd_slice acd_codec_unframe(struct acd_slice value);

/* The encoding that the content type names, else the one that the first byte shows. `content_type` may be
 * absent; `value` is unframed. */
enum acd_encoding acd_codec_choose(struct acd_slice content_type, struct acd_slice value);

/* Decodes one message, which must be exactly one map. Returns NULL, or why it is malformed (a sentence for
 * a reply, static or in the arena). Strings of the tree borrow from `bytes` or the arena. */
const char *acd_codec_decode(enum acd_encoding encoding, struct acd_slice bytes, struct acd_arena *arena,
                             struct acd_value *out);

/* One encoder for both encodings: the caller says how many members or items follow, since MessagePack
 * writes the count first. */
struct acd_writer {
    enum acd_encoding encoding;
    struct acd_buffer buffer;
    uint32_t depth;
    bool first[ACD_DEPTH_MAX];   /* JSON: no comma is due */
    char closing[ACD_DEPTH_MAX]; /* JSON: what ends the container */
    bool after_key;
};

void acd_writer_init(struct acd_writer *writer, enum acd_encoding encoding, struct acd_arena *arena);
void acd_writer_map(struct acd_writer *writer, uint32_t members);
void acd_writer_array(struct acd_writer *writer, uint32_t items);
void acd_writer_end(struct acd_writer *writer);                  /* of the map or array begun last */
void acd_writer_key(struct acd_writer *writer, const char *key); /* one that needs no escaping */
void acd_writer_key_slice(struct acd_writer *writer, struct acd_slice key);
void acd_writer_string(struct acd_writer *writer, struct acd_slice text); /* UTF-8 */
void acd_writer_str(struct acd_writer *writer, const char *text);
void acd_writer_int(struct acd_writer *writer, int64_t number);
void acd_writer_bool(struct acd_writer *writer, bool value);
void acd_writer_null(struct acd_writer *writer);
void acd_writer_time(struct acd_writer *writer, int64_t ms); /* as ISO 8601, see text.h */

#endif
