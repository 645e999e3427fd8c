/* What may be run on this node: files of runtimes.d, one runtime each, written by the node's own
 * administrator. Manifests name a runtime and fill in its typed arguments; nothing else of them
 * reaches the command line. Default: an empty folder, and nothing runs.
 *
 *     name: llama-server
 *     exec: /usr/bin/llama-server          # absolute
 *     fixed: [--no-webui]                  # words that always come first
 *     arguments:
 *       model:   {type: path, under: /srv/models, flag: --model, required: true}
 *       context: {type: integer, least: 512, most: 131072, flag: --ctx-size, default: 4096}
 *       mode:    {type: word, words: [chat, embedding], flag: --mode=}   # "=": one word
 *       metrics: {type: boolean, flag: --metrics}                        # the flag alone, if true
 *     port: {flag: --port, least: 8000, most: 8999}
 *                                        # proxied: true when a container engine listens in place
 *                                        # of the replica; else a port must be the replica's own
 *     environment: [OMP_NUM_THREADS]       # keys that a manifest may set
 *     variables: {HF_HOME: /srv/hf}        # set for every replica
 *     user: llama                          # default: see launch_default_user()
 *     cpu: 16                              # ceilings: more is refused, and is the limit where the
 *     memory: 64Gi                         # model asks for none
 *     openFiles: 65536
 *
 * Types of arguments: path, integer, port, number, boolean, word, and text unless said otherwise. A
 * path stands below `under` also after every symbolic link is followed; text never begins with "-".
 */
#ifndef HUDDLE_REPLICA_RUNTIMES_H
#define HUDDLE_REPLICA_RUNTIMES_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/replica/launch.h"
#include "proto/base/cleanup.h"
#include "proto/base/err.h"
#include "proto/wire.h"

struct runtimes;

/* Reads every *.yaml of `folder`; a folder that is not there holds none. Refused whole, with
 * file:line:column, when one file has an error, when two give the same name, or when the folder or
 * a file is not owned by root or by the agent's own user or may be written by others (-EPERM). */
int runtimes_load(const char *folder, struct runtimes **ret_runtimes, struct err *e);
void runtimes_free(struct runtimes *r);
DEFINE_AUTO(runtimes, struct runtimes *, runtimes_free);

/* Names, ascending; borrowed until runtimes_free(). */
size_t runtimes_names(const struct runtimes *r, const char *const **ret_names);

/* Does somebody else listen for replicas of this runtime (port.proxied)? false for a free command.
 */
bool runtimes_port_is_proxied(const struct runtimes *r, const struct wire_desired *desired);

/* How to start `desired`. A free command needs `allow_commands`. Always in the environment: PATH,
 * HOME, LANG, PORT, HUDDLE_REPLICA (its uid), HUDDLE_MODEL, CUDA_VISIBLE_DEVICES (its GPUs, "" for
 * none). -EINVAL with the argument, what is wrong with it and what was expected; -ENOENT for an
 * unknown runtime, with the known ones; -EACCES for what this node does not allow. */
int runtimes_resolve(const struct runtimes *r, const struct wire_desired *desired,
                     bool allow_commands, struct launch *ret_launch, struct err *e);

/* How to run its readiness command (PROBE_EXEC): as the same user, in the same environment. It is a
 * free command, and needs `allow_commands`. */
int runtimes_resolve_probe(const struct runtimes *r, const struct wire_desired *desired,
                           bool allow_commands, struct launch *ret_launch, struct err *e);

#endif
