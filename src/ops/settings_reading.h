/* settings_reading.h: what reading the settings from a file and from the environment has in common.
 */
#ifndef ACCOUNTD_OPS_SETTINGS_READING_H
#define ACCOUNTD_OPS_SETTINGS_READING_H

#include "settings_table.h"

/* Where a setting was read. */
struct acd_place {
    const char *source; /* a file's name, or NAME=VALUE of the environment; NULL: it was not read */
    unsigned line;      /* of the file; 0: it is a variable */
};

struct acd_reading {
    struct acd_settings *settings;
    FILE *errors;
    bool failed;
    struct acd_place places[ACD_SETTING_COUNT];
};

/* Writes a mistake, as "FILE:LINE: message" or "VARIABLE: message". */
void acd_reading_complain(struct acd_reading *reading, struct acd_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each stores a value where the setting's is, or complains of it. */
void acd_reading_bool(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      bool value);
void acd_reading_int(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                     long long value);
void acd_reading_string(struct acd_reading *reading, const struct acd_setting *setting,
                        struct acd_place place, const char *text);
void acd_reading_item(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place,
                      const char *text);

/* Empties a list, and remembers where its new items come from. */
void acd_reading_list(struct acd_reading *reading, const struct acd_setting *setting, struct acd_place place);

/* The values of the environment's ACCOUNTD_ variables, over those of the file. An unknown one is a mistake.
 */
void acd_reading_environment(struct acd_reading *reading, char *const *environment);

/* Settings that do not go together. */
void acd_reading_compare(struct acd_reading *reading);

#endif
