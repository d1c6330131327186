/* reload.h: SIGHUP: the settings are read again, and what can be changed while accountd runs is changed.
 */
#ifndef ACCOUNTD_RELOAD_H
#define ACCOUNTD_RELOAD_H

#include "accountd/rules.h"

/* Where the settings came from. */
struct acd_reload {
    const char *file; /* NULL: from the environment only */
    struct acd_rulebook *book;
    const struct acd_own_topics *own; /* NULL while the topics are not known */
    struct acd_topics *topics;
};

/* Reads the settings again and puts new rules into the book; what needs a restart is named in the log. After
 * any mistake the present rules stay, and the log says what it is. */
void acd_reload(const struct acd_reload *reload);

#endif
