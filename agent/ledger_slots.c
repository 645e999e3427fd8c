/* Two files that take turns: see ledger_slots.h. */
#include "agent/ledger_slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/state_files.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/random.h"

#define MAGIC UINT64_C(0x3172656764656c68) /* "hledger1" */

struct header { /* in the byte order of this machine: it does not leave it */
    uint64_t magic, number, length, checksum;
};

static uint64_t checksum(uint64_t number, const char *bytes, size_t n)
{
    uint64_t sum = random_mix(number) ^ n, word;

    for (; n > 0; bytes += word, n -= word) {
        uint64_t part = 0;

        word = n < sizeof(part) ? n : sizeof(part);
        memcpy(&part, bytes, word);
        sum = random_mix(sum ^ part);
    }
    return sum;
}

int ledger_slots_open(struct ledger_slots *s, int dir_fd, struct err *e)
{
    static const char *const NAMES[] = { "ledger.0", "ledger.1" };

    for (int i = 0; i < 2; i++) {
        s->fd[i] = openat(dir_fd, NAMES[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (s->fd[i] < 0)
            return err_errno(e, -errno, "%s", NAMES[i]);
    }
    return 0;
}

void ledger_slots_close(struct ledger_slots *s)
{
    for (int i = 0; i < 2; i++) {
        if (s->fd[i] >= 0)
            (void)close(s->fd[i]);
        s->fd[i] = -1;
    }
}

/* One slot's bytes when it is whole, else NULL. */
static char *read_slot(int fd, struct header *ret_header)
{
    struct header h;
    struct stat st;
    AUTO(mem) char *bytes = NULL;

    if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h) || h.magic != MAGIC ||
        fstat(fd, &st) < 0 || h.length > STATE_FILE_MAX ||
        h.length > (uint64_t)st.st_size - sizeof(h))
        return NULL;
    bytes = xmalloc(h.length + 1);
    if (pread(fd, bytes, h.length, sizeof(h)) != (ssize_t)h.length ||
        checksum(h.number, bytes, h.length) != h.checksum)
        return NULL;
    *ret_header = h;
    return TAKE(bytes);
}

void ledger_slots_read(struct ledger_slots *s, char **ret_bytes, size_t *ret_n)
{
    struct header h = { 0 };

    *ret_bytes = NULL;
    *ret_n = 0;
    for (int i = 0; i < 2; i++) {
        char *bytes = read_slot(s->fd[i], &h);

        if (!bytes || (*ret_bytes && h.number < s->number)) {
            free(bytes);
            continue;
        }
        free(*ret_bytes);
        *ret_bytes = bytes;
        *ret_n = h.length;
        s->number = h.number;
    }
}

void ledger_slots_clear(struct ledger_slots *s)
{
    for (int i = 0; i < 2; i++)
        if (s->fd[i] >= 0 && ftruncate(s->fd[i], 0) < 0)
            continue; /* a disk that takes nothing back either: the next write tries again */
}

int ledger_slots_write(struct ledger_slots *s, const void *bytes, size_t n, struct err *e)
{
    struct header h = { .magic = MAGIC, .number = ++s->number, .length = n };
    struct iovec parts[] = { { &h, sizeof(h) }, { (void *)bytes, n } };
    ssize_t done;

    h.checksum = checksum(h.number, bytes, n);
    done = pwritev(s->fd[h.number % 2], parts, ARRAY_LEN(parts), 0);
    if (done == (ssize_t)(sizeof(h) + n))
        return 0;
    ledger_slots_clear(s);
    return done < 0 ? err_errno(e, -errno, "the ledger") : err_set(e, -EIO, "the ledger: cut");
}
