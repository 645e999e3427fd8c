/* What-if: one field of declared objects takes another value, as the command line says. */
#ifndef HUDDLE_CLI_SETTING_H
#define HUDDLE_CLI_SETTING_H

#include "controller/cli/manifest_files.h"

/* `text` is KIND[/NAME].FIELD=VALUE: "policy.quantile=0.99", "model/chat.replicas.min=2". Without a
 * name all objects of the kind are meant. The value is YAML and read as in a file, with the same
 * refusals. A policy that no file declares is made, and is the pool's from then on. */
int setting_apply(const char *text, struct manifest_files *f, struct err *e);

/* A policy with all defaults is made, and is the pools', unless one that a pool names is there. */
int setting_need_policy(struct manifest_files *f, struct err *e);

/* The objects of `with` take the place of those of the same kind and name, or stand beside them;
 * the only PowerPolicy of `with` takes that of all PowerPolicies, whatever its name is. Empties
 * `with`. */
void setting_replace(struct manifest_files *f, struct manifest_files *with);

#endif
