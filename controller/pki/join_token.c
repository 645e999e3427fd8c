/* Join tokens: see join_token.h. */
#include "controller/pki/join_token.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "controller/pki/folder.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/clock.h"

#define CHARS "abcdefghijklmnopqrstuvwxyz234567"
#define SECRET_LENGTH 26u
#define HEX_LENGTH 64u
#define REFUSED \
    "the join token is unknown, used up or expired (huddlectl token join makes a new one)"

/* --- texts -------------------------------------------------------------------------------------
 */

bool join_token_is_id(const char *text)
{
    return strlen(text) == JOIN_TOKEN_ID_MAX - 1 && !text[strspn(text, CHARS)];
}

static bool is_token(const char *text)
{
    const size_t id = JOIN_TOKEN_ID_MAX - 1;

    return strlen(text) == JOIN_TOKEN_MAX - 1 && strspn(text, CHARS) == id && text[id] == '.' &&
           strspn(text + id + 1, CHARS) == SECRET_LENGTH;
}

static int parse_hash(const char *hex, struct join_token *t, struct err *e)
{
    if (strlen(hex) != HEX_LENGTH || hex[strspn(hex, "0123456789abcdef")])
        return err_set(e, -EINVAL, "sha256: expected 64 lower-case hexadecimal digits");
    for (size_t i = 0; i < sizeof(t->hash); i++) {
        char pair[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        t->hash[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return 0;
}

static int parse_uses(const char *text, struct join_token *t, struct err *e)
{
    char *end;

    t->uses = strtol(text, &end, 10);
    if (end == text || *end || t->uses < 1 || t->uses > JOIN_TOKEN_USES_MOST)
        return err_set(e, -EINVAL, "uses: expected 1 to %d", JOIN_TOKEN_USES_MOST);
    return 0;
}

static int parse_from(const char *text, struct join_token *t, struct err *e)
{
    if (!join_token_is_network(text))
        return err_set(e, -EINVAL, "from: expected a network like 192.0.2.0/24");
    (void)snprintf(t->from, sizeof(t->from), "%s", text);
    return 0;
}

static int parse_word(const char *word, struct join_token *t, struct err *e)
{
    if (strncmp(word, "sha256:", 7) == 0)
        return parse_hash(word + 7, t, e);
    if (strncmp(word, "uses:", 5) == 0)
        return parse_uses(word + 5, t, e);
    if (strncmp(word, "from:", 5) == 0)
        return parse_from(word + 5, t, e);
    if (strncmp(word, "expires:", 8) == 0 && clock_parse(word + 8, &t->expires_ms) == 0)
        return 0;
    t->replace = strcmp(word, "replace") == 0;
    return t->replace ? 0 : err_set(e, -EINVAL, "what is \"%.60s\"?", word);
}

int join_token_parse(const char *line, struct join_token *ret, struct err *e)
{
    AUTO(mem) char *copy = xstrdup(line);
    struct join_token t = { .uses = 0 };
    char *rest = copy, *word;
    bool hashed = false;
    int r = 0;

    while (r == 0 && (word = strsep(&rest, " \n"))) {
        hashed |= strncmp(word, "sha256:", 7) == 0;
        r = *word ? parse_word(word, &t, e) : 0;
    }
    if (r == 0 && (!hashed || !t.uses || !t.expires_ms))
        r = err_set(e, -EINVAL, "expected: sha256:HEX uses:N expires:TIME");
    if (r == 0)
        *ret = t;
    return r;
}

/* --- networks ----------------------------------------------------------------------------------
 */

struct network {
    unsigned char bytes[16]; /* of IPv4 behind ::ffff: */
    unsigned bits;
};

static bool parse_address(const char *text, unsigned char bytes[16])
{
    static const unsigned char MAPPED[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    memcpy(bytes, MAPPED, sizeof(MAPPED));
    return inet_pton(AF_INET, text, bytes + sizeof(MAPPED)) == 1 ||
           inet_pton(AF_INET6, text, bytes) == 1;
}

static bool parse_network(const char *text, struct network *ret)
{
    const char *slash = strchr(text, '/');
    char address[JOIN_TOKEN_FROM_MAX], *end;
    unsigned long bits;

    if (!slash || strlen(text) >= sizeof(address) || slash[1] < '0' || slash[1] > '9')
        return false;
    (void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    bits = strtoul(slash + 1, &end, 10);
    if (*end || !parse_address(address, ret->bytes))
        return false;
    if (!strchr(address, ':'))
        bits += 96;
    ret->bits = (unsigned)bits;
    return bits <= 128;
}

bool join_token_is_network(const char *text)
{
    struct network n;

    return parse_network(text, &n);
}

bool join_token_from(const char *network, const char *address)
{
    unsigned char bytes[16];
    struct network n;

    if (!parse_network(network, &n) || !parse_address(address, bytes))
        return false;
    for (unsigned i = 0; i < n.bits; i++) {
        unsigned char mask = (unsigned char)(0x80u >> (i % 8));

        if ((bytes[i / 8] ^ n.bytes[i / 8]) & mask)
            return false;
    }
    return true;
}

/* --- the folder --------------------------------------------------------------------------------
 */

static int hash_text(const char *text, unsigned char hash[JOIN_TOKEN_HASH])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), hash) < 0 ? -EIO : 0;
}

static void print(const struct join_token *t, struct strbuf *out)
{
    char expires[CLOCK_TEXT_MAX];

    clock_format(t->expires_ms, expires);
    strbuf_puts(out, "sha256:");
    for (size_t i = 0; i < sizeof(t->hash); i++)
        strbuf_printf(out, "%02x", t->hash[i]);
    strbuf_printf(out, " uses:%lld expires:%s", (long long)t->uses, expires);
    if (t->from[0])
        strbuf_printf(out, " from:%s", t->from);
    strbuf_puts(out, t->replace ? " replace\n" : "\n");
}

static int draw(char ret_text[JOIN_TOKEN_MAX], struct err *e)
{
    unsigned char bytes[JOIN_TOKEN_MAX];

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return err_errno(e, -errno, "no random numbers");
    for (size_t i = 0; i < sizeof(bytes); i++)
        ret_text[i] = CHARS[bytes[i] % 32];
    ret_text[JOIN_TOKEN_ID_MAX - 1] = '.';
    ret_text[JOIN_TOKEN_MAX - 1] = '\0';
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

/* Of a whole token. */
static void copy_id(const char *token, char ret_id[JOIN_TOKEN_ID_MAX])
{
    memcpy(ret_id, token, JOIN_TOKEN_ID_MAX - 1);
    ret_id[JOIN_TOKEN_ID_MAX - 1] = '\0';
}

int join_token_make(const char *dir, const struct join_token *t, char ret_text[JOIN_TOKEN_MAX],
                    struct err *e)
{
    AUTO(mem) char *folder = pki_path(dir, PKI_JOIN);
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    struct join_token made = *t;
    char id[JOIN_TOKEN_ID_MAX];
    int r = pki_make_folder(folder, e);

    if (r < 0 || (r = draw(ret_text, e)) < 0)
        return r;
    if ((r = hash_text(ret_text, made.hash)) < 0)
        return err_set(e, r, "SHA-256 is not available");
    copy_id(ret_text, id);
    print(&made, &line);
    return pki_write(folder, id, strbuf_text(&line), line.length, true, e);
}

static int read_one(const char *folder, const char *id, struct join_token *ret, struct err *e)
{
    AUTO(mem) char *text = NULL;
    int r = pki_read(folder, id, &text, e);

    return r < 0 ? r : join_token_parse(text, ret, e);
}

int join_token_check(const char *dir, const char *text, const char *address, int64_t now_ms,
                     struct join_token *ret, struct err *e)
{
    AUTO(mem) char *folder = pki_path(dir, PKI_JOIN);
    unsigned char hash[JOIN_TOKEN_HASH];
    char id[JOIN_TOKEN_ID_MAX];
    struct err why = ERR_INIT;
    int r;

    if (!is_token(text))
        return err_set(e, 401, REFUSED);
    copy_id(text, id);
    r = read_one(folder, id, ret, &why);
    if (r == -ENOENT)
        return err_set(e, 401, REFUSED);
    if (r < 0 || hash_text(text, hash) < 0)
        return err_set(e, 500, "the join token cannot be read: %s", why.text);
    if (gnutls_memcmp(hash, ret->hash, sizeof(hash)) != 0 || now_ms >= ret->expires_ms)
        return err_set(e, 401, REFUSED);
    if (ret->from[0] && !join_token_from(ret->from, address))
        return err_set(e, 403, "the join token is not for nodes at %s", address);
    return 0;
}

/* Held over reading and writing; freed by closing. */
static int lock(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX) < 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

int join_token_spend(const char *dir, const char *text, const char *address, int64_t now_ms,
                     struct err *e)
{
    AUTO(mem) char *folder = pki_path(dir, PKI_JOIN);
    AUTO(fd) int held = lock(folder);
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    AUTO(mem) char *path = NULL;
    struct err why = ERR_INIT;
    char id[JOIN_TOKEN_ID_MAX];
    struct join_token t;
    int r = join_token_check(dir, text, address, now_ms, &t, e);

    if (r)
        return r;
    copy_id(text, id);
    path = pki_path(folder, id);
    t.uses--;
    print(&t, &line);
    if (t.uses == 0)
        r = unlink(path) < 0 || fsync(held) < 0 ? -errno : 0;
    else
        r = pki_write(folder, id, strbuf_text(&line), line.length, false, &why);
    return r < 0 ? err_set(e, 500, "the join token cannot be spent: %s", why.text) : 0;
}

void join_token_each(const char *dir,
                     void (*fn)(void *data, const char *id, const struct join_token *t), void *data)
{
    AUTO(mem) char *folder = pki_path(dir, PKI_JOIN);
    DIR *d = opendir(folder);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        struct join_token t;

        if (join_token_is_id(entry->d_name) && read_one(folder, entry->d_name, &t, NULL) == 0)
            fn(data, entry->d_name, &t);
    }
    if (d)
        (void)closedir(d);
}

int join_token_delete(const char *dir, const char *id, struct err *e)
{
    AUTO(mem) char *folder = pki_path(dir, PKI_JOIN), *path = pki_path(folder, id);
    AUTO(fd) int held = lock(folder);

    if (!join_token_is_id(id) || held < 0)
        return err_set(e, -ENOENT, "there is no join token %.10s", id);
    return unlink(path) < 0 || fsync(held) < 0 ? err_errno(e, -errno, "%s", path) : 0;
}
