/* process.h: processes of accountd: what src/daemon.c does, without its probes.
 *
 * A process has one or two workers, each with the real thread function, and a main task that starts and ends
 * them. One that dies starts again, on the same host and so with the same transactional ids.
 */
#ifndef ACCOUNTD_SIM_PROCESS_H
#define ACCOUNTD_SIM_PROCESS_H

#include "accountd/settings.h"
#include "redis.h"

#define PROCESSES_MAX 3

struct process_options {
    uint32_t processes;
    uint32_t workers[PROCESSES_MAX];
    const struct acd_settings *settings;
};

void process_begin(const struct process_options *options);

/* Of the running task's process. */
const char *process_host(void);
struct redis_server *process_redis(void);

/* Ends a process that runs, at once; the running task's too, which then does not come back from here. */
void process_kill(uint32_t process);
void process_ask_to_end(uint32_t process);
void process_stop(uint32_t process, int64_t us);
uint32_t process_count(void);
uint32_t process_current(void); /* of the running task */

/* All are ended, and do not start again before they are released. */
void process_hold(void);
void process_release(void);

/* Which Redis the processes find under its name. */
struct redis_server *process_official(void);
void process_appoint(struct redis_server *server, bool at_once);

/* All run, and go on running. */
void process_heal(void);

#endif
