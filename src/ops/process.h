/* process.h: what the kernel knows of this process, under the names that Prometheus' own clients use. */
#ifndef ACCOUNTD_OPS_PROCESS_H
#define ACCOUNTD_OPS_PROCESS_H

#include <stdio.h>

void acd_process_metrics_print(FILE *out);

#endif
