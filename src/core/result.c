/* The result codes' names, and making a refusal. */
#include "accountd/apply.h"
#include "accountd/text.h"

const char *acd_code_text(enum acd_code code)
{
    static const char *const texts[ACD_CODE_COUNT] = {
#define X(name, text) [ACD_##name] = text,
        ACD_CODES(X)
#undef X
    };

    return texts[code];
}

struct acd_refusal acd_refusal(struct acd_arena *arena, enum acd_code code, struct acd_slice field,
                               const char *format, ...)
{
    struct acd_refusal refusal = {.code = code, .field = field};
    va_list args;

    refusal.field.len = acd_utf8_cut(field, ACD_PATH_MAX);
    va_start(args, format);
    refusal.message = acd_arena_vformat(arena, format, args);
    va_end(args);
    return refusal;
}
