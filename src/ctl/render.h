/* render.h: replies, for people to read. */
#ifndef ACCOUNTD_CTL_RENDER_H
#define ACCOUNTD_CTL_RENDER_H

#include <jansson.h>
#include <stdio.h>

#include "args.h"

/* What a reply's status means for how accountctl ends. */
enum acd_ctl_exit acd_ctl_status(const json_t *reply);

/* Writes what happened to each account of create, edit, delete, get and export to `out`, refusals to stderr.
 * An exported account goes without saying. */
void acd_ctl_render_results(FILE *out, const struct acd_ctl_args *args, const json_t *reply);

/* A string member; absent (data NULL) when there is none. */
struct acd_slice acd_ctl_text(const json_t *object, const char *name);

#endif
