/* Looking into a decoded message. */
#include "accountd/value.h"

const struct acd_value *acd_value_member(const struct acd_value *map, const char *key)
{
    struct acd_slice wanted = acd_slice_str(key);

    if (map->kind != ACD_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++) {
        if (acd_slice_equal(map->members[i].key, wanted))
            return &map->members[i].value;
    }
    return NULL;
}

bool acd_value_integer(const struct acd_value *value, int64_t *out)
{
    if (value->kind == ACD_INT) {
        *out = value->integer;
        return true;
    }
    /* The bounds come first: converting a double that int64 does not hold is undefined. */
    if (value->kind != ACD_DOUBLE || !(value->number >= -0x1p63 && value->number < 0x1p63))
        return false;
    *out = (int64_t)value->number;
    return (double)*out == value->number;
}
