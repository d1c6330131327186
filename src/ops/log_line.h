/* log_line.h: one line of the log while it is put together. */
#ifndef ACCOUNTD_OPS_LOG_LINE_H
#define ACCOUNTD_OPS_LOG_LINE_H

#include "accountd/log.h"

/* A pipe takes this many bytes in one piece, so that lines of two threads cannot mix. */
#define ACD_LOG_LINE_BYTES 4096

struct acd_log_line {
    enum acd_log_format format;
    size_t used;
    char bytes[ACD_LOG_LINE_BYTES];
};

/* Time and level, as the format and the reader of stderr want them, and the message, which leaves room for
 * fields. */
void acd_log_line_begin(struct acd_log_line *line, enum acd_log_format format, enum acd_log_level level,
                        struct acd_slice message);

/* A field that does not fit is left out. */
void acd_log_line_field(struct acd_log_line *line, const struct acd_log_field *field);

void acd_log_line_end(struct acd_log_line *line);

/* "error" … */
extern const char *const acd_log_level_names[];

#endif
