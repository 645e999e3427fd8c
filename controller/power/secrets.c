/* Secrets of a driver call: see secrets.h. */
#include "controller/power/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/power/folders.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static int read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    ssize_t got;

    while (n < size && (got = read(fd, text + n, size - n)) != 0) {
        if (got < 0 && errno != EINTR)
            return -errno;
        n += got > 0 ? (size_t)got : 0;
    }
    if (n == size)
        return -EFBIG;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    return strlen(text) == n ? 0 : -EILSEQ; /* it becomes a JSON text */
}

/* NULL: not UTF-8. */
static char *escape(const char *text)
{
    json_t *value = json_string(text);
    char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    size_t n = quoted ? strlen(quoted) : 0;

    json_decref(value);
    if (!quoted)
        return NULL;
    memmove(quoted, quoted + 1, n - 2);
    explicit_bzero(quoted + n - 2, 2);
    return quoted;
}

static int read_one(struct secret *secret, const char *path, const struct string_list *folders,
                    struct err *e)
{
    AUTO(mem) char *real = NULL;
    AUTO(fd) int fd = -1;
    int r = power_folders_resolve(folders, "powerDrivers.secrets", path, &real, e);

    if (r < 0)
        return err_prefix(e, r, "secrets.%s", secret->name);
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0)
        return err_errno(e, -errno, "secrets.%s: %s", secret->name, path);
    secret->text = xcalloc(1, SECRET_BYTES_MAX + 1);
    r = read_all(fd, secret->text, SECRET_BYTES_MAX + 1);
    if (r == 0 && !(secret->escaped = escape(secret->text)))
        r = -EILSEQ;
    return r < 0 ? err_errno(e, r, "secrets.%s: %s", secret->name, path) : 0;
}

int secrets_read(const struct string_map *files, const struct string_list *folders,
                 struct secrets *ret_secrets, struct err *e)
{
    struct secrets s = { 0 };

    for (size_t i = 0; i < files->n; i++) {
        struct secret *secret = ARRAY_ADD(&s, items);
        int r;

        secret->name = files->pair[i].key;
        r = read_one(secret, files->pair[i].value, folders, e);
        if (r < 0) {
            secrets_done(&s);
            return r;
        }
    }
    *ret_secrets = s;
    return 0;
}

void secrets_done(struct secrets *s)
{
    for (size_t i = 0; i < s->n_items; i++) {
        wipe(s->items[i].text);
        wipe(s->items[i].escaped);
    }
    free(s->items);
    *s = (struct secrets){ 0 };
}

/* The longest line of `text` with which the bytes begin: its length, or 0. */
static size_t line_at(const char *text, const char *bytes, size_t n, bool cut)
{
    size_t longest = 0;

    for (const char *line = text; *line; line += strspn(line, "\r\n")) {
        size_t length = strcspn(line, "\r\n"), here = cut && length > n ? n : length;

        if (here > longest && here <= n && memcmp(line, bytes, here) == 0)
            longest = here;
        line += length;
    }
    return longest;
}

static size_t secret_at(const struct secrets *s, const char *bytes, size_t n, bool cut)
{
    size_t longest = 0;

    for (size_t i = 0; i < s->n_items; i++) {
        size_t plain = line_at(s->items[i].text, bytes, n, cut);
        size_t escaped = line_at(s->items[i].escaped, bytes, n, cut);

        longest = plain > longest ? plain : longest;
        longest = escaped > longest ? escaped : longest;
    }
    return longest;
}

void secrets_redact(const struct secrets *s, const char *bytes, size_t n, bool cut,
                    struct strbuf *out)
{
    for (size_t i = 0; i < n;) {
        size_t length = secret_at(s, bytes + i, n - i, cut);

        if (length)
            strbuf_puts(out, "***");
        else
            strbuf_putc(out, bytes[i]);
        i += length ? length : 1;
    }
}
