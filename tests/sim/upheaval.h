/* upheaval.h: faults that befall a task, a process or a server as a whole. */
#ifndef ACCOUNTD_SIM_UPHEAVAL_H
#define ACCOUNTD_SIM_UPHEAVAL_H

#include "faults.h"

/* True for those that are done by upheaval_do; the others happen at calls. */
bool upheaval_is(enum fault fault);
void upheaval_do(enum fault fault);

/* … to the running task, or to its process, where it is a fault of those. */
void upheaval_do_here(enum fault fault);

/* All servers serve again. */
void upheaval_heal(void);

#endif
