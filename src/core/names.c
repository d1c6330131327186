/* Names, and lists of words. */
#include "names.h"

#include "accountd/buffer.h"
#include "accountd/command.h"

/* What a byte may be part of; one lookup instead of ctype, which would ask the locale. */
enum {
    LETTER = 1,
    DIGIT = 2,
    UNDERSCORE_DASH = 4,
    DOT_AT = 8,
};

static unsigned classes_of(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return LETTER;
    if (c >= '0' && c <= '9')
        return DIGIT;
    if (c == '_' || c == '-')
        return UNDERSCORE_DASH;
    return c == '.' || c == '@' ? DOT_AT : 0;
}

static bool consists_of(struct acd_slice text, size_t max, unsigned allowed)
{
    if (text.len == 0 || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!(classes_of(text.data[i]) & allowed))
            return false;
    }
    return true;
}

bool acd_name_is_app(struct acd_slice name)
{
    return consists_of(name, ACD_APP_MAX, LETTER | DIGIT | UNDERSCORE_DASH);
}

bool acd_name_is_account(struct acd_slice name)
{
    return consists_of(name, ACD_NAME_MAX, LETTER | DIGIT | UNDERSCORE_DASH | DOT_AT) &&
           (classes_of(name.data[0]) & (LETTER | DIGIT));
}

bool acd_name_is_id(struct acd_slice name)
{
    if (name.len == 0 || name.len > ACD_ID_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] < '!' || name.data[i] > '~')
            return false;
    }
    return true;
}

bool acd_name_is_custom_tag(struct acd_slice name)
{
    return consists_of(name, ACD_CUSTOM_TAG_MAX, LETTER);
}

int acd_words_find(const struct acd_slice *words, size_t count, struct acd_slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (acd_slice_equal(words[i], text))
            return (int)i;
    }
    return -1;
}

struct acd_slice acd_words_prose(struct acd_arena *arena, const struct acd_slice *words, size_t count)
{
    struct acd_buffer prose;

    acd_buffer_init(&prose, arena, 0);
    for (size_t i = 0; i < count; i++) {
        if (i)
            acd_buffer_add_str(&prose, i + 1 == count ? " or " : ", ");
        acd_buffer_add_slice(&prose, words[i]);
    }
    return acd_buffer_slice(&prose);
}
