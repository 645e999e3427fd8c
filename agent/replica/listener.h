/* Who takes the connections to a port of this node, and how many are open. Sources: sock_diag(7)
 * for the former, /proc/net/tcp and tcp6 (proc_pid_net(5)) for both, of the agent's own network
 * namespace; listeners come first in the tables.
 * Knows nothing of replicas. */
#ifndef HUDDLE_REPLICA_LISTENER_H
#define HUDDLE_REPLICA_LISTENER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct listener {
    uint64_t inode; /* of the socket */
    uid_t uid;      /* of who made it */
};

/* Those to whom the kernel hands a connection to address:port: the ones bound to the address, or
 * else to any. More than one share it (SO_REUSEPORT). With a name in place of an IP address: every
 * listener of the port. Fills in at most `most` and returns how many; 0: the port is free. -errno
 * when the tables cannot be read. */
int listeners_of(const char *proc_root, const char *address, uint32_t port,
                 struct listener *ret_listeners, size_t most);

/* Connections to the port in which a request may be under way: open, opening, or closed by the
 * client alone; not those of this process itself. -errno when the tables cannot be read. */
int connections_to(const char *proc_root, uint32_t port);

/* Does the process hold this socket? 1 or 0; -EACCES when we may not look (another user's process,
 * and no CAP_SYS_PTRACE), -ENOENT or -ESRCH when it has ended. */
int socket_is_held(const char *proc_root, pid_t pid, uint64_t inode);

#endif
