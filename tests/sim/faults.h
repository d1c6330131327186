/* faults.h: what may go wrong, when, and how often. */
#ifndef ACCOUNTD_SIM_FAULTS_H
#define ACCOUNTD_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

/* X(identifier, name, what happens) */
#define FAULTS(X)                                                                                            \
    X(KILL, "kill", "a process ends without a word, and starts again")                                       \
    X(STOP, "stop", "a process stands still, its background threads too")                                    \
    X(PAUSE, "pause", "a thread stands still, its background threads go on")                                 \
    X(LEAVE, "leave", "a process is asked to end, and starts again")                                         \
    X(SESSION, "session", "the group's coordinator hears nothing of a member for a while")                   \
    X(BREAK, "break", "connections to Redis break before or after the effect")                               \
    X(LATE, "late", "calls are done by Redis after their connection is gone")                                \
    X(REFUSE, "refuse", "Redis is full, cannot save, or is not reached")                                     \
    X(FUNCTIONS, "functions", "Redis forgets the functions")                                                 \
    X(RESTART, "restart", "Redis restarts and has lost nothing")                                             \
    X(ASK, "ask", "questions to Kafka are not answered")                                                     \
    X(ANNOUNCE, "announce", "a commit of offsets is lost, or its answer, or it comes late")                  \
    X(TRANSACTION, "transaction", "a step of a transaction fails")                                           \
    X(END, "end", "the answer to the end of a transaction is lost, or the end comes late")                   \
    X(MARKERS, "markers", "the end of a transaction reaches partitions seconds apart")                       \
    X(RETENTION, "retention", "commands that were answered are deleted")                                     \
    X(COMPACT, "compact", "the changelog is compacted")                                                      \
    X(GAPS, "gaps", "control records and aborted commands stand between commands")                           \
    X(GROW, "grow", "partitions are added while all runs")                                                   \
    X(FLUSH, "flush", "FLUSHALL")                                                                            \
    X(TAIL, "tail", "Redis restarts without its last writes")                                                \
    X(WIPE, "wipe", "Redis restarts empty")                                                                  \
    X(OLD, "old", "Redis restarts with an old file")                                                         \
    X(FAILOVER, "failover", "a replica takes over, perhaps lagging; the old master lives on")                \
    X(BACK, "back", "the old master is put back into its place")                                             \
    X(SKIP, "skip", "an operator sets an offset forward, and accepts it")

enum fault {
#define X(id, name, text) FAULT_##id,
    FAULTS(X)
#undef X
        FAULT_COUNT
};

const char *fault_name(enum fault fault);
const char *fault_text(enum fault fault);

/* Chooses, from the seed, which of the allowed faults this run has and how often. */
void faults_begin(uint64_t allowed);
bool faults_has(enum fault fault);

/* From here on nothing more goes wrong. */
void faults_end(void);
bool faults_ended(void);

/* A step of a task, at which something may happen to it or to a server. */
void faults_step(void);

/* What goes wrong of itself, from time to time. */
void faults_schedule(void);

/* ---- Redis */

enum fault_of_call { CALL_IS_FINE, CALL_IS_LOST, ANSWER_IS_LOST, CALL_IS_LATE };
enum fault_of_call faults_of_call(void);
bool faults_refuse_connection(void);
int64_t faults_late_us(void);

/* ---- Kafka: true when it happens at this call. */

bool faults_hit(enum fault fault, uint32_t in_ten_thousand);

#endif
