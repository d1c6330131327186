/* How much memory the tree of a JSON message takes. */
#include "json.h"

#include <stdalign.h>

/* The closing quote of the string that begins at `start`, or the end. */
static const unsigned char *measure_string(const unsigned char *start, const unsigned char *end,
                                           struct acd_json_size *size)
{
    const unsigned char *at = start;
    bool escaped = false;

    while ((at = acd_json_special(at, end, 0)) < end && *at != '"') {
        if (*at == '\\') {
            escaped = true;
            at += end - at > 1;
        }
        at++;
    }
    if (escaped)
        size->text += (size_t)(at - start);
    return at;
}

/* Of a message that is wrong, too, what is read before the mistake takes no more than is counted here: a
 * child counts where the comma or the bracket after it stands, or at the end, and a bracket saves itself a
 * child only right after the one that it fits. */
const char *acd_json_measure(const struct acd_json *json, struct acd_json_size *size)
{
    /* An item takes two bytes of a message at least, a member five; commas alone must not reserve more. The
     * tree is read from its end, which must be as aligned as its start. */
    const size_t most = sizeof(struct acd_value) / 2 * (size_t)(json->end - json->begin) +
                        ACD_DEPTH_MAX * sizeof(struct acd_member);
    size_t child_bytes[ACD_DEPTH_MAX];
    const unsigned char *at = json->at;
    unsigned char last = 0;
    uint32_t depth = 0;

    *size = (struct acd_json_size){0, 0};
    do {
        switch (*at) {
        case '"':
            at = measure_string(at + 1, json->end, size);
            last = '"';
            break;
        case '{':
        case '[':
            if (depth == ACD_DEPTH_MAX)
                return ACD_TOO_DEEP;
            last = *at;
            child_bytes[depth++] = last == '{' ? sizeof(struct acd_member) : sizeof(struct acd_value);
            break;
        case '}':
        case ']':
            depth--;
            /* In ASCII an opening bracket is the closing one less 2. */
            if (last != *at - 2)
                size->tree += child_bytes[depth];
            last = *at;
            break;
        case ',':
            size->tree += child_bytes[depth - 1];
            last = ',';
            break;
        default:
            if (!acd_json_blank(*at))
                last = *at;
        }
    } while (depth && json->end - at > 1 && at++);

    while (depth)
        size->tree += child_bytes[--depth];
    if (size->tree > most)
        size->tree = (most + alignof(struct acd_member) - 1) & ~(alignof(struct acd_member) - 1);
    return NULL;
}
