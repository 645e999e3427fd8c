/* The record of a running replica: see record.h. */
#include "agent/replica/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define FIRST_LINE "huddle-replica 1 "
#define RECORD_MAX ((size_t)2 * WIRE_MESSAGE_MAX)
#define CGROUPS_MAX 8

void record_done(struct record *r)
{
    string_list_done(&r->cgroups);
    wire_reply_free(r->reply);
    *r = (struct record){ 0 };
}

int record_prepare(const struct record *record, const struct wire_desired *desired,
                   struct strbuf *out, struct err *e)
{
    struct wire_desired copy = *desired;
    struct wire_reply reply = { .cluster_id = "", .replicas = &copy, .n_replicas = 1 };
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT;
    int r;

    reply.power.op = reply.power.boot_id = "";
    r = wire_reply_encode(&reply, &bytes, e);
    if (r < 0)
        return r;
    strbuf_printf(out, "boot_id %s\npid_namespace %" PRIu64 "\nstarted_ms %" PRId64 "\n",
                  record->boot_id, record->pid_namespace, record->started_boot_ms);
    for (size_t i = 0; i < record->cgroups.n; i++)
        strbuf_printf(out, "cgroup %s\n", record->cgroups.item[i]);
    strbuf_printf(out, "desired %zu\n", bytes.length);
    strbuf_add(out, bytes.data, bytes.length);
    return 0;
}

/* --- writing, between fork and exec ------------------------------------------------------------
 */

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t part = write(fd, bytes, n);

        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return part < 0 ? -errno : -EIO;
        bytes += part;
        n -= (size_t)part;
    }
    return 0;
}

/* snprintf() is not async-signal-safe. Writes the digits and `end` at p, returns what follows. */
static char *put_number(char *p, uint64_t value, char end)
{
    char digits[24];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        *p++ = digits[--n];
    *p++ = end;
    return p;
}

static int write_and_sync(int fd, pid_t pid, uint64_t start_ticks, const void *rest, size_t n)
{
    char line[80], *p = line + sizeof(FIRST_LINE) - 1;
    int r;

    memcpy(line, FIRST_LINE, sizeof(FIRST_LINE) - 1);
    p = put_number(p, (uint64_t)pid, ' ');
    p = put_number(p, start_ticks, '\n');
    r = write_all(fd, line, (size_t)(p - line));
    if (r == 0)
        r = write_all(fd, rest, n);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    return r;
}

int record_write(int folder_fd, pid_t pid, uint64_t start_ticks, const void *rest, size_t n)
{
    int fd = openat(folder_fd, "record.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

    if (fd < 0)
        return -errno;
    r = write_and_sync(fd, pid, start_ticks, rest, n);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && renameat(folder_fd, "record.new", folder_fd, "record") < 0)
        r = -errno;
    if (r == 0 && fsync(folder_fd) < 0)
        r = -errno;
    return r;
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* One "key value" line; *p moves behind it. The line is cut out of the text. */
static bool take_line(char **p, const char *key, char **ret_value)
{
    size_t n = strlen(key);
    char *end = strchr(*p, '\n');

    if (!end || strncmp(*p, key, n) != 0 || (*p)[n] != ' ')
        return false;
    *end = '\0';
    *ret_value = *p + n + 1;
    *p = end + 1;
    return true;
}

static bool take_u64(char **p, const char *key, uint64_t *ret_value)
{
    char *value;

    return take_line(p, key, &value) && text_u64(value, ret_value) == 0;
}

static bool take_first_line(char **p, struct record *r)
{
    char *value, *blank;
    uint64_t pid;

    if (!take_line(p, "huddle-replica 1", &value) || !(blank = strchr(value, ' ')))
        return false;
    *blank = '\0';
    if (text_u64(value, &pid) < 0 || pid == 0 || pid > INT32_MAX)
        return false;
    r->pid = (pid_t)pid;
    return text_u64(blank + 1, &r->start_ticks) == 0;
}

static bool take_head(char **p, struct record *r, uint64_t *ret_desired)
{
    char *value;
    uint64_t started_ms;

    if (!take_first_line(p, r) || !take_line(p, "boot_id", &value) ||
        strlen(value) >= sizeof(r->boot_id))
        return false;
    memcpy(r->boot_id, value, strlen(value) + 1);
    if (!take_u64(p, "pid_namespace", &r->pid_namespace) ||
        !take_u64(p, "started_ms", &started_ms) || started_ms > INT64_MAX)
        return false;
    r->started_boot_ms = (int64_t)started_ms;
    r->cgroups.item = xcalloc(CGROUPS_MAX, sizeof(*r->cgroups.item));
    while (r->cgroups.n < CGROUPS_MAX && take_line(p, "cgroup", &value))
        r->cgroups.item[r->cgroups.n++] = xstrdup(value);
    return take_u64(p, "desired", ret_desired);
}

int record_read(const char *path, struct record *ret_record, struct err *e)
{
    AUTO(record) struct record record = { 0 };
    AUTO(mem) char *text = NULL;
    int n = text_file_read_all(path, RECORD_MAX, &text);
    uint64_t length;
    char *p = text;

    if (n < 0)
        return err_errno(e, n, "%s", path);
    if (!take_head(&p, &record, &length) || length != (uint64_t)(text + n - p))
        return err_set(e, -EBADMSG, "%s: not the record of a replica", path);
    if (wire_reply_decode(p, (size_t)length, &record.reply, e) < 0 ||
        record.reply->n_replicas != 1) {
        wire_reply_free(record.reply);
        record.reply = NULL;
    }
    *ret_record = record;
    record = (struct record){ 0 };
    return 0;
}
