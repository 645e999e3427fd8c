/* The TCP tables of /proc: see listener.h. To write them out the kernel goes through its whole
 * table of connections, a millisecond each time, and a probe asks several times a second: where it
 * can say by netlink who listens (sock_diag(7)), only the listeners are gone through. */
#include "agent/replica/listener.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define PATH_SIZE 320
#define CONNECTIONS_KEPT 64 /* with more, some are not ours */

enum tcp_state { /* include/net/tcp_states.h of Linux */
                 TCP_STATE_ESTABLISHED = 0x01,
                 TCP_STATE_SYN_RECV = 0x03,
                 TCP_STATE_CLOSE_WAIT = 0x08,
                 TCP_STATE_LISTEN = 0x0a,
                 TCP_STATE_NEW_SYN_RECV = 0x0c,
};

struct end {
    struct in6_addr address; /* v4: mapped */
    uint32_t port;
};

struct row {
    bool v6;
    struct end local, remote;
    unsigned state;
    uid_t uid;
    uint64_t inode;
};

/* --- rows ------------------------------------------------------------------------------------- */

/* An address as the kernel prints it: each 32-bit word as a number in host order. Returns how many
 * words it has, 0 when it is none. */
static size_t address_of(const char *hex, struct in6_addr *ret_address)
{
    size_t words = strlen(hex) / 8;
    uint32_t word[4] = { 0, 0, htonl(0xffff), 0 };

    if (strlen(hex) % 8 != 0 || (words != 1 && words != 4))
        return 0;
    for (size_t i = 0; i < words; i++)
        if (sscanf(hex + 8 * i, "%8" SCNx32, &word[words == 4 ? i : 3]) != 1)
            return 0;
    memcpy(ret_address, word, sizeof(*ret_address));
    return words;
}

static bool parse_row(const char *line, struct row *ret_row)
{
    char local[33], remote[33];
    size_t words;

    /* sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode */
    if (sscanf(line,
               " %*u: %32[0-9A-Fa-f]:%" SCNx32 " %32[0-9A-Fa-f]:%" SCNx32
               " %x %*s %*s %*s %u %*u %" SCNu64,
               local, &ret_row->local.port, remote, &ret_row->remote.port, &ret_row->state,
               &ret_row->uid, &ret_row->inode) != 7)
        return false;
    words = address_of(local, &ret_row->local.address);
    ret_row->v6 = words == 4;
    return words > 0 && address_of(remote, &ret_row->remote.address) == words;
}

typedef bool row_fn(void *data, const struct row *row); /* false: no more rows */

static int walk_table(const char *proc_root, const char *name, row_fn *fn, void *data)
{
    char path[PATH_SIZE];
    AUTO(mem) char *line = NULL;
    size_t size = 0;
    struct row row;
    FILE *f;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/net/%s", proc_root, name);
    fd = text_file_open(path);
    if (fd < 0)
        return fd;
    f = fdopen(fd, "r");
    if (!f) {
        (void)close(fd);
        return -ENOMEM;
    }
    while (getline(&line, &size, f) > 0)
        if (parse_row(line, &row) && !fn(data, &row))
            break;
    (void)fclose(f);
    return 0;
}

static int walk(const char *proc_root, row_fn *fn, void *data)
{
    int r = walk_table(proc_root, "tcp", fn, data);

    if (r < 0)
        return r;
    r = walk_table(proc_root, "tcp6", fn, data);
    return r == -ENOENT ? 0 : r; /* a node without IPv6 */
}

/* --- netlink ---------------------------------------------------------------------------------- */

static void row_of(const struct inet_diag_msg *m, struct row *ret_row)
{
    *ret_row = (struct row){
        .v6 = m->idiag_family == AF_INET6,
        .local.port = ntohs(m->id.idiag_sport),
        .state = m->idiag_state,
        .uid = m->idiag_uid,
        .inode = m->idiag_inode,
    };
    if (ret_row->v6) {
        memcpy(&ret_row->local.address, m->id.idiag_src, sizeof(ret_row->local.address));
    } else {
        ret_row->local.address.s6_addr32[2] = htonl(0xffff);
        ret_row->local.address.s6_addr32[3] = m->id.idiag_src[0];
    }
}

/* One datagram of the answer: 1 more follow, 0 it was the last, -errno. */
static int read_answer(const char *bytes, size_t n, row_fn *fn, void *data)
{
    struct nlmsghdr h;

    for (size_t at = 0; at + sizeof(h) <= n; at += NLMSG_ALIGN(h.nlmsg_len)) {
        struct inet_diag_msg m;
        struct row row;
        int code;

        memcpy(&h, bytes + at, sizeof(h));
        if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n - at)
            return -EBADMSG;
        if (h.nlmsg_type == NLMSG_DONE)
            return 0;
        if (h.nlmsg_type == NLMSG_ERROR) {
            memcpy(&code, bytes + at + NLMSG_HDRLEN, sizeof(code));
            return code < 0 ? code : -EBADMSG;
        }
        if (h.nlmsg_type != SOCK_DIAG_BY_FAMILY || h.nlmsg_len < NLMSG_LENGTH(sizeof(m)))
            continue;
        memcpy(&m, bytes + at + NLMSG_HDRLEN, sizeof(m));
        row_of(&m, &row);
        (void)fn(data, &row);
    }
    return 1;
}

/* Every listener of the port, of one family. -errno when the kernel does not say. */
static int ask(int fd, unsigned char family, uint32_t port, row_fn *fn, void *data)
{
    struct {
        struct nlmsghdr h;
        struct inet_diag_req_v2 r;
    } question = {
        .h = { .nlmsg_len = sizeof(question),
               .nlmsg_type = SOCK_DIAG_BY_FAMILY,
               .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .r = { .sdiag_family = family,
               .sdiag_protocol = IPPROTO_TCP,
               .idiag_states = 1u << TCP_STATE_LISTEN,
               .id.idiag_sport = htons((uint16_t)port) },
    };
    char bytes[8192];
    int r;

    if (send(fd, &question, sizeof(question), 0) < 0)
        return -errno;
    do {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

        r = n < 0 ? -errno : n == 0 ? -EBADMSG : read_answer(bytes, (size_t)n, fn, data);
    } while (r == 1 || r == -EINTR);
    return r;
}

static int ask_kernel(uint32_t port, row_fn *fn, void *data)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int r;

    if (fd < 0)
        return -errno;
    r = ask(fd, AF_INET, port, fn, data);
    if (r == 0)
        r = ask(fd, AF_INET6, port, fn, data);
    (void)close(fd);
    return r;
}

/* --- listeners -------------------------------------------------------------------------------- */

struct search {
    bool named; /* not an IP address */
    struct in6_addr address;
    uint32_t port;
    int rank; /* of those found */
    struct listener *found;
    size_t n, most;
};

/* How well a listener fits, as the kernel weighs it (compute_score() in net/ipv4 and net/ipv6):
 * the address before any address, and for IPv4 a socket of IPv4 before one of both. 0: not at all.
 */
static int rank_of(const struct search *s, const struct row *row)
{
    bool v4 = IN6_IS_ADDR_V4MAPPED(&s->address);
    bool any = row->v6 ? IN6_IS_ADDR_UNSPECIFIED(&row->local.address)
                       : row->local.address.s6_addr32[3] == 0;

    if (s->named)
        return 1;
    if (!v4 && !row->v6)
        return 0;
    if (memcmp(&row->local.address, &s->address, sizeof(s->address)) == 0)
        return row->v6 ? 3 : 4;
    return !any ? 0 : row->v6 ? 1 : 2;
}

static bool take_listener(void *data, const struct row *row)
{
    struct search *s = data;
    int rank;

    if (row->state != TCP_STATE_LISTEN)
        return false;
    rank = row->local.port == s->port ? rank_of(s, row) : 0;
    if (rank == 0 || rank < s->rank)
        return true;
    if (rank > s->rank)
        s->n = 0;
    s->rank = rank;
    if (s->n < s->most)
        s->found[s->n++] = (struct listener){ .inode = row->inode, .uid = row->uid };
    return true;
}

int listeners_of(const char *proc_root, const char *address, uint32_t port,
                 struct listener *ret_listeners, size_t most)
{
    struct search s = { .port = port, .found = ret_listeners, .most = most };
    char mapped[INET6_ADDRSTRLEN + 8];
    int r;

    (void)snprintf(mapped, sizeof(mapped), "::ffff:%.45s", address);
    s.named = inet_pton(AF_INET6, address, &s.address) != 1 &&
              inet_pton(AF_INET6, mapped, &s.address) != 1;
    r = strcmp(proc_root, "/proc") == 0 ? ask_kernel(port, take_listener, &s) : -ENOENT;
    if (r < 0) { /* no sock_diag, or a tree of its own */
        s.n = 0;
        s.rank = 0;
        r = walk(proc_root, take_listener, &s);
    }
    return r < 0 ? r : (int)s.n;
}

/* --- connections ------------------------------------------------------------------------------ */

struct count {
    const char *proc_root;
    uint32_t port;
    struct {
        struct end here, there;
    } seen[CONNECTIONS_KEPT]; /* the first of them */
    int n;
};

static bool end_equals(const struct end *a, const struct end *b)
{
    return a->port == b->port && memcmp(&a->address, &b->address, sizeof(a->address)) == 0;
}

static bool count_connection(void *data, const struct row *row)
{
    struct count *c = data;

    if (row->local.port != c->port ||
        (row->state != TCP_STATE_ESTABLISHED && row->state != TCP_STATE_SYN_RECV &&
         row->state != TCP_STATE_CLOSE_WAIT && row->state != TCP_STATE_NEW_SYN_RECV))
        return true;
    if (c->n < CONNECTIONS_KEPT) {
        c->seen[c->n].here = row->local;
        c->seen[c->n].there = row->remote;
    }
    c->n++;
    return true;
}

/* The other end of one of them, in our own hands: a probe's or a scrape's, perhaps kept alive. */
static bool leave_out_ours(void *data, const struct row *row)
{
    struct count *c = data;

    for (int i = 0; i < c->n && row->remote.port == c->port; i++)
        if (end_equals(&row->local, &c->seen[i].there) &&
            end_equals(&row->remote, &c->seen[i].here) &&
            socket_is_held(c->proc_root, getpid(), row->inode) == 1) {
            c->seen[i] = c->seen[--c->n];
            break;
        }
    return true;
}

int connections_to(const char *proc_root, uint32_t port)
{
    struct count c = { .proc_root = proc_root, .port = port };
    int r = walk(proc_root, count_connection, &c);

    if (r == 0 && c.n > 0 && c.n <= CONNECTIONS_KEPT)
        r = walk(proc_root, leave_out_ours, &c);
    return r < 0 ? r : c.n;
}

/* --- who holds a socket ----------------------------------------------------------------------- */

int socket_is_held(const char *proc_root, pid_t pid, uint64_t inode)
{
    char path[PATH_SIZE], want[48], link[48];
    struct dirent *entry;
    int found = 0;
    DIR *d;

    (void)snprintf(path, sizeof(path), "%s/%d/fd", proc_root, (int)pid);
    (void)snprintf(want, sizeof(want), "socket:[%" PRIu64 "]", inode);
    d = opendir(path);
    if (!d)
        return -errno;
    while (found == 0 && (entry = readdir(d))) {
        ssize_t n;

        if (entry->d_name[0] == '.')
            continue;
        n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);
        if (n < 0) {
            found = errno == EACCES || errno == EPERM ? -EACCES : 0; /* else: just closed */
            continue;
        }
        link[n] = '\0';
        found = strcmp(link, want) == 0;
    }
    (void)closedir(d);
    return found;
}
