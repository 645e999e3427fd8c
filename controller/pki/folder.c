/* Files of the doors: see folder.h. */
#include "controller/pki/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/pki/authority.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/file.h"
#include "proto/base/strbuf.h"
#include "proto/certificate.h"

#define FILE_MOST (1u << 20)

char *pki_path(const char *dir, const char *name)
{
    struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b, "%s/%s", dir, name);
    return strbuf_take(&b);
}

/* A file keeps its owner and its mode; of a new one the owner is the folder's, also when root
 * writes it. */
static int give(int fd, int dir, const char *name)
{
    struct stat st;

    if (name && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (fchmod(fd, st.st_mode & 0777) < 0)
            return -errno;
    } else if (fstat(dir, &st) < 0) {
        return -errno;
    }
    if (geteuid() != 0 && !name)
        return 0; /* a new one stays its maker's */
    return fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

static int write_whole(int fd, const char *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t r = write(fd, bytes + done, n - done);

        if (r < 0 && errno != EINTR)
            return -errno;
        done += r > 0 ? (size_t)r : 0;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* linkat() and not renameat() where nothing may be there: it never replaces. */
static int publish(int dir, const char *temporary, const char *name, bool fresh)
{
    int r = 0;

    if (fresh) {
        r = linkat(dir, temporary, dir, name, 0) < 0 ? -errno : 0;
        (void)unlinkat(dir, temporary, 0);
    } else if (renameat(dir, temporary, dir, name) < 0) {
        r = -errno;
        (void)unlinkat(dir, temporary, 0);
    }
    return r == 0 && fsync(dir) < 0 ? -errno : r;
}

int pki_write(const char *dir, const char *name, const void *bytes, size_t n, bool fresh,
              struct err *e)
{
    AUTO(fd) int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    char temporary[128];
    int r;

    if (folder < 0)
        return err_errno(e, -errno, "%s", dir);
    (void)snprintf(temporary, sizeof(temporary), ".%.64s.%ld", name, (long)getpid());
    (void)unlinkat(folder, temporary, 0); /* of a process that died with this number */
    fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(e, -errno, "%s/%s", dir, temporary);
    r = give(fd, folder, fresh ? NULL : name);
    if (r == 0)
        r = write_whole(fd, bytes, n);
    if (r == 0)
        r = publish(folder, temporary, name, fresh);
    else
        (void)unlinkat(folder, temporary, 0);
    return r < 0 ? err_errno(e, r, "%s/%s", dir, name) : 0;
}

int pki_make_folder(const char *path, struct err *e)
{
    AUTO(mem) char *copy = xstrdup(path);
    struct stat st;

    if (mkdir(path, 0700) < 0)
        return errno == EEXIST ? 0 : err_errno(e, -errno, "%s", path);
    if (geteuid() == 0 && stat(dirname(copy), &st) == 0 && chown(path, st.st_uid, st.st_gid) < 0)
        return err_errno(e, -errno, "%s", path);
    return 0;
}

int pki_replace(const char *path, const void *bytes, size_t n, struct err *e)
{
    AUTO(mem) char *dir = xstrdup(path), *name = xstrdup(path);

    return pki_write(dirname(dir), basename(name), bytes, n, false, e);
}

/* The folder in which a path lies. */
static int open_parent(const char *path)
{
    AUTO(mem) char *copy = xstrdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int pki_append(const char *path, const char *line, struct err *e)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    AUTO(fd) int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    AUTO(fd) int folder = fd < 0 ? -1 : open_parent(path);
    struct stat st;
    char last = '\n';
    ssize_t n;
    int r;

    if (fd >= 0 && folder >= 0 && (r = give(fd, folder, NULL)) < 0)
        return err_errno(e, r, "%s", path);
    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(e, -errno, "%s", path);
    if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
        return err_errno(e, -errno, "%s", path);
    strbuf_printf(&text, "%s%s\n", last == '\n' ? "" : "\n", line);
    n = write(fd, text.data, text.length);
    if (n < 0)
        return err_errno(e, -errno, "%s", path);
    if ((size_t)n != text.length || fsync(fd) < 0)
        return err_set(e, -EIO, "%s: not written whole", path);
    return 0;
}

int pki_read(const char *dir, const char *name, char **ret_text, struct err *e)
{
    AUTO(mem) char *path = pki_path(dir, name);
    size_t n;
    int r = file_read(path, FILE_MOST, ret_text, &n, e);

    return r < 0 ? r : 0;
}

/* --- the controller's own certificate ----------------------------------------------------------
 */

/* A key's text is wiped before it is freed. */
static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

struct server { /* what signing it anew takes */
    char *ca, *ca_key, *certificate, *key;
    char **names;
    size_t n_names;
};

static void server_done(struct server *s)
{
    free(s->ca);
    wipe(s->ca_key);
    free(s->certificate);
    wipe(s->key);
    authority_free_names(s->names, s->n_names);
}

static int sign_anew(const char *dir, struct server *s, int64_t now_ms, struct err *e)
{
    AUTO(authority) struct authority *a = NULL;
    AUTO(mem) char *text = NULL;
    int r;

    if ((r = pki_read(dir, PKI_CA, &s->ca, e)) < 0 ||
        (r = pki_read(dir, PKI_CA_KEY, &s->ca_key, e)) < 0 ||
        (r = pki_read(dir, PKI_SERVER_KEY, &s->key, e)) < 0 ||
        (r = authority_server_names(s->certificate, &s->names, &s->n_names, e)) < 0 ||
        (r = authority_new(s->ca, s->ca_key, &a, e)) < 0 ||
        (r = authority_sign_server(a, s->key, (const char *const *)s->names, s->n_names, now_ms,
                                   &text, e)) < 0)
        return r;
    return pki_write(dir, PKI_SERVER, text, strlen(text), false, e);
}

int pki_renew_server(const char *dir, int64_t now_ms, bool *ret_renewed, struct err *e)
{
    struct server s = { .n_names = 0 };
    struct certificate c;
    int r = pki_read(dir, PKI_SERVER, &s.certificate, e);

    *ret_renewed = false;
    if (r == 0)
        r = certificate_read(s.certificate, &c, e);
    if (r == 0 && c.until_ms - now_ms < AUTHORITY_SERVER_MS / 3) {
        r = sign_anew(dir, &s, now_ms, e);
        *ret_renewed = r == 0;
    }
    server_done(&s);
    return r;
}
