/* The settings as a file: --print-config, and docs/accountd.conf. What is printed ends up in tickets and
 * chats; settings hold no secrets, but the names of their files. */
#include <string.h>

#include "settings_table.h"

static void print_string(const char *text, FILE *out)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            fprintf(out, "\\x%02x", c);
        else
            putc(c, out);
    }
    putc('"', out);
}

static void print_list(const struct acd_strings *list, FILE *out)
{
    fputs("[", out);
    for (uint32_t i = 0; i < list->count; i++) {
        fputs(i ? ", " : " ", out);
        print_string(list->items[i], out);
    }
    fputs(list->count ? " ]" : "]", out);
}

static void print_setting(const struct acd_setting *setting, const struct acd_settings *settings, FILE *out)
{
    const char *place = (const char *)settings + setting->offset;
    const char *indent = setting->group[0] ? "    " : "";

    fprintf(out, "%s# %s", indent, setting->help);
    if (setting->kind == ACD_SETTING_INT)
        fprintf(out, "; %lld to %lld", (long long)setting->min, (long long)setting->max);
    if (setting->live)
        fputs(" [reload]", out);
    fprintf(out, "\n%s%s = ", indent, setting->name);
    switch (setting->kind) {
    case ACD_SETTING_BOOL:
        fputs(*(const bool *)place ? "true" : "false", out);
        break;
    case ACD_SETTING_INT:
        fprintf(out, "%lld", (long long)*(const int64_t *)(const void *)place);
        break;
    case ACD_SETTING_STRING:
        print_string(*(char *const *)(const void *)place, out);
        break;
    case ACD_SETTING_LIST:
        print_list((const struct acd_strings *)(const void *)place, out);
        break;
    }
    fputs(";\n", out);
}

void acd_settings_print(const struct acd_settings *settings, FILE *out)
{
    const char *group = "";

    fputs(
        "# accountd's settings. What a file leaves out has its default; what it names and accountd does not\n"
        "# know stops the start. SIGHUP changes what is marked [reload]; the others need a restart.\n",
        out);
    for (size_t i = 0; i < ACD_SETTING_COUNT; i++) {
        const struct acd_setting *setting = &acd_setting_table[i];

        if (strcmp(group, setting->group) != 0) {
            fputs(group[0] ? "};\n\n" : "\n", out);
            if (setting->group[0])
                fprintf(out, "%s: {\n", setting->group);
        }
        group = setting->group;
        print_setting(setting, settings, out);
    }
    fputs(group[0] ? "};\n" : "", out);
}
