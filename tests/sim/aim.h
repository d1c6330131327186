/* aim.h: faults that happen where they hurt.
 *
 * What breaks a protocol is most often one order of steps among millions. An aim names a fault and a text:
 * where a line of the trace holds the text, that fault is likely to happen at this step or one of the next
 * few. It befalls the task whose line it is, or its process, or its next call; servers meet it at once, or up
 * to some seconds later. How likely and how often is the seed's to choose, so that seeds differ.
 */
#ifndef ACCOUNTD_SIM_AIM_H
#define ACCOUNTD_SIM_AIM_H

#include "faults.h"

/* FAULT:TEXT; an asterisk stands for anything. The text is kept, not copied. False when that is no fault that
 * can be aimed. */
bool aim_add(char *text);
bool aim_any(void);
bool aim_names(enum fault fault);

void aim_begin(void);

/* A line of the trace. */
void aim_see(const char *line);

/* At a step of a task. */
void aim_step(void);

/* At a call in which the fault may happen: true when it was aimed at it. */
bool aim_hits(enum fault fault);

#endif
