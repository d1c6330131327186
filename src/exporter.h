/* exporter.h: threads that sweep whole apps into files, beside the workers.
 *
 * A task belongs to the worker that begins it; the file that it makes is nobody's until that worker names it
 * in a manifest. Whatever goes wrong ends a task, and its worker begins another attempt.
 */
#ifndef ACCOUNTD_EXPORTER_H
#define ACCOUNTD_EXPORTER_H

#include "accountd/command.h"
#include "accountd/reply.h"
#include "accountd/settings.h"

struct acd_exporter;
struct acd_task;

/* What to export; all of it is copied. */
struct acd_task_order {
    const struct acd_command *command;
    struct acd_slice id;
    struct acd_slice source;
    int64_t attempt;
    struct acd_slice incarnation; /* the Redis that may be read */
};

enum acd_task_state { ACD_TASK_UNDER_WAY, ACD_TASK_DONE, ACD_TASK_FAILED };

/* Threads are started with the first task. The settings must outlive it. Returns NULL without memory. */
struct acd_exporter *acd_exporter_new(const struct acd_settings *settings);

/* Ends what is under way. NULL is accepted; all tasks must have been dropped. */
void acd_exporter_free(struct acd_exporter *exporter);

/* Returns NULL without memory. */
struct acd_task *acd_exporter_begin(struct acd_exporter *exporter, const struct acd_task_order *order);

enum acd_task_state acd_task_state(struct acd_task *task);

/* Of a task that is done: what its file is. Lives as long as the task. */
const struct acd_manifest *acd_task_manifest(const struct acd_task *task);

/* Of a task that failed: why. */
const char *acd_task_error(const struct acd_task *task);

/* Ends the task if it is under way, and forgets it. NULL is accepted. */
void acd_task_drop(struct acd_task *task);

#endif
