/* settings_table.h: the ONE table of settings. Defaults, reading, printing and the sample come from it. */
#ifndef ACCOUNTD_OPS_SETTINGS_TABLE_H
#define ACCOUNTD_OPS_SETTINGS_TABLE_H

#include <stddef.h>

#include "accountd/settings.h"

enum acd_setting_kind { ACD_SETTING_BOOL, ACD_SETTING_INT, ACD_SETTING_STRING, ACD_SETTING_LIST };

/* Writes what is wrong with a text, and what would be right, to `message`; returns false then. */
typedef bool acd_setting_check(const char *text, char *message, size_t message_bytes);

struct acd_setting {
    const char *group; /* "": at the top of the file */
    const char *name;
    enum acd_setting_kind kind;
    size_t offset;    /* in struct acd_settings: of a bool, an int64_t, a char * or a struct acd_strings */
    const char *text; /* default of a string; a list has none */
    int64_t number;   /* default of an int or a bool */
    int64_t min;      /* of an int's value, of a string's length in bytes */
    int64_t max;      /* … of a list's items too */
    acd_setting_check *check; /* of a string, and of each item of a list; may be NULL */
    bool live;                /* a reload changes it; the others need a restart */
    const char *help;         /* one line */
};

#define ACD_SETTING_COUNT 39

extern const struct acd_setting acd_setting_table[ACD_SETTING_COUNT];

/* Bytes of the longest "group.name" with its NUL, and room to spare. */
#define ACD_SETTING_PATH_BYTES 64

/* "group.name", or the name of a setting that stands at the top. Returns `out`. */
const char *acd_setting_path(const struct acd_setting *setting, char *out, size_t out_bytes);

/* Takes the item over. Returns 0, or -1 without memory. */
int acd_strings_add(struct acd_strings *strings, char *item);

void acd_strings_free(struct acd_strings *strings);

/* Where a setting's value is. */
static inline void *acd_setting_place(const struct acd_setting *setting, struct acd_settings *settings)
{
    return (char *)settings + setting->offset;
}

/* The setting that somebody who wrote this name in this group ("": at the top) may have meant: as it would be
 * written there, or with its group when it belongs elsewhere. Returns false when nothing is near. */
bool acd_setting_suggest(const char *group, const char *name, char *out, size_t out_bytes);

acd_setting_check acd_check_brokers;
acd_setting_check acd_check_group;
acd_setting_check acd_check_topic;
acd_setting_check acd_check_reply_topic; /* a name or ^regex$ */
acd_setting_check acd_check_property;    /* name=value that librdkafka knows and accountd does not own */
acd_setting_check acd_check_app;
acd_setting_check acd_check_key_prefix;
acd_setting_check acd_check_path;
acd_setting_check acd_check_secret_file; /* an absolute path or a credential's name, see secret.h */
acd_setting_check acd_check_key;         /* see keyring.h */
acd_setting_check acd_check_listen;
acd_setting_check acd_check_level;
acd_setting_check acd_check_format;

#endif
