/* Weights. */
#include "mix.h"

#include <string.h>

#include "accountd/text.h"

#define USUAL "create=1,edit=5,get=4"

const char *const acd_ctl_mix_names[ACD_CTL_MIX_COUNT] = {
#define X(id, name) name,
    ACD_CTL_MIX_OPS(X)
#undef X
};

static bool read_one(struct acd_slice text, struct acd_ctl_mix *mix, unsigned *seen)
{
    for (unsigned i = 0; i < ACD_CTL_MIX_COUNT; i++) {
        size_t len = strlen(acd_ctl_mix_names[i]);

        if (text.len <= len || memcmp(text.data, acd_ctl_mix_names[i], len) != 0 || text.data[len] != '=')
            continue;
        if (*seen & 1u << i)
            return false;
        *seen |= 1u << i;
        return acd_int_parse(acd_slice(text.data + len + 1, text.len - len - 1), &mix->weights[i]) &&
               mix->weights[i] >= 0 && mix->weights[i] <= ACD_CTL_MIX_WEIGHT_MAX;
    }
    return false;
}

bool acd_ctl_mix_read(const char *text, struct acd_ctl_mix *out)
{
    unsigned seen = 0;
    int64_t sum = 0;

    *out = (struct acd_ctl_mix){{0}};
    text = text ? text : USUAL;
    for (;;) {
        size_t len = strcspn(text, ",");

        if (!read_one(acd_slice(text, len), out, &seen))
            return false;
        text += len;
        if (!*text)
            break;
        text++;
    }
    for (int i = 0; i < ACD_CTL_MIX_COUNT; i++)
        sum += out->weights[i];
    return sum > 0;
}

enum acd_ctl_mix_op acd_ctl_mix_choose(const struct acd_ctl_mix *mix, uint64_t random)
{
    uint64_t sum = 0;
    unsigned op = 0;

    for (int i = 0; i < ACD_CTL_MIX_COUNT; i++)
        sum += (uint64_t)mix->weights[i];
    random %= sum;
    while (random >= (uint64_t)mix->weights[op])
        random -= (uint64_t)mix->weights[op++];
    return op;
}
