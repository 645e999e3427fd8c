/* huddle-controller init: see init.h. The folder is made beside its place and renamed, so that an
 * interrupted run leaves either all of it or what the next run clears away. */
#include "controller/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/config.h"
#include "controller/daemon.h"
#include "controller/pki/authority.h"
#include "controller/pki/folder.h"
#include "controller/pki/join_token.h"
#include "controller/pki/user_token.h"
#include "proto/base/address.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/strbuf.h"
#include "proto/certificate.h"

#define USER "huddle" /* of deploy/systemd */
#define ADMIN "admin"
#define JOINS 10 /* nodes that the first join token lets in */

static const char HELP[] =
    "usage: huddle-controller init [--name NAME]... [--listen ADDRESS:PORT] [--pki DIR]\n"
    "                              [--config FILE]\n"
    "\n"
    "Makes what a controller needs to be reached from other machines: an authority of its own, a\n"
    "certificate, and the token of an administrator, which is shown once. Writes a configuration\n"
    "that uses them, unless there is one. Changes nothing where DIR exists.\n"
    "\n"
    "  --name NAME     a further host name or address by which the controller is reached; may be\n"
    "                  given several times. This host's name and addresses are always among them\n"
    "  --listen ADDRESS:PORT  where it will listen [0.0.0.0:7443]\n"
    "  --pki DIR       the folder to make [" PKI_FOLDER_DEFAULT "]\n"
    "  --config FILE   the configuration [" CONFIG_DEFAULT_FILE "]\n"
    "\n"
    "Run by root, the folder is given to the user " USER ", if there is one.\n";

struct init {
    const char *dir, *config, *listen;
    const char *chosen; /* the first --name; NULL: none */
    char host[64];      /* of listen */
    uint16_t port, agents_port;
    char **names; /* of the certificate */
    size_t n_names, cap_names;
    struct strbuf token;       /* the administrator's */
    char join[JOIN_TOKEN_MAX]; /* nodes' */
    char digest[CERTIFICATE_DIGEST_MAX];
    char *temporary; /* the folder while it is made */
};

/* --- names -------------------------------------------------------------------------------------
 */

static void add_name(struct init *i, const char *name)
{
    ARRAY_FOREACH(known, i, names) {
        if (strcmp(*known, name) == 0)
            return;
    }
    *ARRAY_ADD(i, names) = xstrdup(name);
}

/* A link-local address means nothing without its interface. */
static void add_address(struct init *i, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (address && address->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr, text,
                        sizeof(text));
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;

        if (!IN6_IS_ADDR_LINKLOCAL(six))
            (void)inet_ntop(AF_INET6, six, text, sizeof(text));
    }
    if (text[0])
        add_name(i, text);
}

static void add_own_names(struct init *i)
{
    char host[HOST_NAME_MAX + 1] = "";
    struct ifaddrs *list = NULL;

    if (gethostname(host, sizeof(host) - 1) == 0 && host[0])
        add_name(i, host);
    add_name(i, "localhost");
    add_name(i, "127.0.0.1");
    add_name(i, "::1");
    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *a = list; a; a = a->ifa_next)
        add_address(i, a->ifa_addr);
    freeifaddrs(list);
}

static bool is_host(const char *name)
{
    size_t n = strlen(name);

    return address_is_ip(name) ||
           (n > 0 && n < 254 &&
            !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789-.")]);
}

/* --- the folder --------------------------------------------------------------------------------
 */

static int put(const struct init *i, const char *name, const char *text, struct err *e)
{
    return pki_write(i->temporary, name, text, strlen(text), true, e);
}

static int write_certificates(struct init *i, struct err *e)
{
    AUTO(authority) struct authority *a = NULL;
    AUTO(mem) char *ca = NULL, *ca_key = NULL, *key = NULL, *certificate = NULL;
    int64_t now_ms = clock_wall_ms();
    int r;

    if ((r = authority_make(now_ms, &ca, &ca_key, e)) < 0 ||
        (r = authority_new(ca, ca_key, &a, e)) < 0 || (r = certificate_key(&key, e)) < 0 ||
        (r = authority_sign_server(a, key, (const char *const *)i->names, i->n_names, now_ms,
                                   &certificate, e)) < 0 ||
        (r = certificate_digest(ca, i->digest, e)) < 0 || (r = put(i, PKI_CA, ca, e)) < 0 ||
        (r = put(i, PKI_CA_KEY, ca_key, e)) < 0 || (r = put(i, PKI_SERVER, certificate, e)) < 0)
        return r;
    return put(i, PKI_SERVER_KEY, key, e);
}

static int write_tokens(struct init *i, struct err *e)
{
    AUTO(strbuf) struct strbuf line = STRBUF_INIT;
    AUTO(mem) char *path = pki_path(i->temporary, PKI_TOKENS);
    struct join_token join = { .uses = JOINS };
    char expires[CLOCK_TEXT_MAX];
    struct user_token t = { ADMIN, "admin", NULL, expires };
    int r;

    clock_format(clock_wall_ms() + USER_TOKEN_LIFE_MS, expires);
    if ((r = user_token_make(&t, &i->token, &line, e)) < 0 ||
        (r = pki_append(path, strbuf_text(&line), e)) < 0)
        return r;
    join.expires_ms = clock_wall_ms() + JOIN_TOKEN_LIFE_MS;
    return join_token_make(i->temporary, &join, i->join, e);
}

/* To the user of the unit, when root makes it. */
static int give(const char *path, struct err *e)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(USER) : NULL;

    if (user && chown(path, user->pw_uid, user->pw_gid) < 0)
        return err_errno(e, -errno, "%s", path);
    return 0;
}

static int make_folder(const char *path, struct err *e)
{
    return mkdir(path, 0700) < 0 ? err_errno(e, -errno, "%s", path) : give(path, e);
}

/* The folder above, where it is not there: of the state of a controller that never ran. */
static int make_parent(const char *dir, struct err *e)
{
    AUTO(mem) char *copy = xstrdup(dir);
    const char *parent = dirname(copy);

    return access(parent, F_OK) == 0 ? 0 : make_folder(parent, e);
}

static void drop_join(void *data, const char *id, const struct join_token *t)
{
    (void)t;
    (void)join_token_delete(data, id, NULL);
}

static void clear(char *dir)
{
    static const char *const NAMES[] = { PKI_CA, PKI_CA_KEY, PKI_SERVER, PKI_SERVER_KEY,
                                         PKI_TOKENS };
    AUTO(mem) char *join = NULL;

    for (size_t n = 0; n < ARRAY_LEN(NAMES); n++) {
        AUTO(mem) char *path = pki_path(dir, NAMES[n]);

        (void)unlink(path);
    }
    join_token_each(dir, drop_join, dir);
    join = pki_path(dir, PKI_JOIN);
    (void)rmdir(join);
    (void)rmdir(dir);
}

static int make(struct init *i, struct err *e)
{
    int r = make_parent(i->dir, e);

    if (r < 0)
        return r;
    clear(i->temporary); /* of a run that was interrupted */
    if ((r = make_folder(i->temporary, e)) < 0 || (r = write_certificates(i, e)) < 0 ||
        (r = write_tokens(i, e)) < 0)
        return r;
    /* Onto an existing folder only while that is empty. */
    return rename(i->temporary, i->dir) < 0 ? err_errno(e, -errno, "%s", i->dir) : 0;
}

/* --- the configuration -------------------------------------------------------------------------
 */

static void config_text(const struct init *i, struct strbuf *out)
{
    bool six = strchr(i->host, ':') != NULL;

    strbuf_printf(out, "listen: \"%s\"\npki: \"%s\"\nagents:\n  listen: \"%s%s%s:%u\"\n", i->listen,
                  i->dir, six ? "[" : "", i->host, six ? "]" : "", i->agents_port);
}

/* True: it was written. */
static bool write_config(const struct init *i)
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;
    AUTO(mem) char *copy = xstrdup(i->config);
    AUTO(fd) int fd = -1;

    strbuf_puts(&text,
                "# Made by huddle-controller init. All keys: the example controller.yaml.\n");
    config_text(i, &text);
    (void)mkdir(dirname(copy), 0755);
    fd = open(i->config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    if (write(fd, text.data, text.length) == (ssize_t)text.length && fsync(fd) == 0)
        return true;
    (void)unlink(i->config);
    return false;
}

static void tell(const struct init *i, bool written)
{
    AUTO(strbuf) struct strbuf keys = STRBUF_INIT;
    const char *name = i->chosen ? i->chosen : i->names[0];
    bool six = strchr(name, ':') != NULL;

    (void)printf("Made %s: an authority, and a certificate for", i->dir);
    for (size_t n = 0; n < i->n_names; n++)
        (void)printf("%s %s", n ? "," : "", i->names[n]);
    config_text(i, &keys);
    (void)printf(".\n%s %s:\n\n%s\n", written ? "Wrote" : "Not written: set these keys in",
                 i->config, strbuf_text(&keys));
    (void)printf("Token of the administrator, shown once, for 90 days:\n  %s\n\n"
                 "Start the controller (systemctl enable --now huddle-controller), copy %s/" PKI_CA
                 "\n(it is no secret) to where people work, and there:\n"
                 "  huddlectl --server https://%s%s%s:%u --ca " PKI_CA
                 " --token-file FILE get nodes\n\n",
                 strbuf_text(&i->token), i->dir, six ? "[" : "", name, six ? "]" : "", i->port);
    (void)printf("On each node, within an hour and on %d nodes at most (huddlectl token join makes "
                 "others):\n"
                 "  huddle-agent join https://%s%s%s:%u --token %s \\\n    --ca %s\n",
                 JOINS, six ? "[" : "", name, six ? "]" : "", i->port, i->join, i->digest);
}

static char *beside(const char *dir)
{
    struct strbuf b = STRBUF_INIT;

    strbuf_printf(&b, "%s.new", dir);
    return strbuf_take(&b);
}

/* --- all ---------------------------------------------------------------------------------------
 */

static int usage(const char *what, const char *word)
{
    (void)fprintf(stderr, "huddle-controller init: %s \"%s\"; try: huddle-controller init --help\n",
                  what, word);
    return EXIT_USAGE;
}

static int take_option(struct init *i, int option)
{
    switch (option) {
    case 'n':
        if (!is_host(optarg))
            return usage("--name: expected a host name or an address, not", optarg);
        i->chosen = i->chosen ? i->chosen : optarg;
        add_name(i, optarg);
        return 0;
    case 'l':
        i->listen = optarg;
        return 0;
    case 'p':
        i->dir = optarg;
        return 0;
    case 'c':
        i->config = optarg;
        return 0;
    default:
        (void)fputs("try: huddle-controller init --help\n", stderr);
        return EXIT_USAGE;
    }
}

static int check(struct init *i)
{
    if (address_split(i->listen, i->host, sizeof(i->host), &i->port) < 0 || !address_is_ip(i->host))
        return usage("--listen: expected an address and a port like 0.0.0.0:7443, not", i->listen);
    /* The next one; any when any is asked for. */
    i->agents_port = (uint16_t)(i->port && i->port < UINT16_MAX ? i->port + 1 : 0);
    if (i->dir[0] != '/')
        return usage("--pki: expected an absolute path, not", i->dir);
    return 0;
}

static int run(struct init *i)
{
    struct err e = ERR_INIT;

    if (access(i->dir, F_OK) == 0 || errno != ENOENT) {
        (void)fprintf(stderr,
                      "huddle-controller init: %s is there already: nothing was changed\n"
                      "  a new token of an administrator: huddlectl token create NAME --role admin "
                      "--append %s/" PKI_TOKENS "\n"
                      "  to begin anew move it away: then all certificates and tokens made so far "
                      "are worth nothing\n",
                      i->dir, i->dir);
        return EXIT_FAILED;
    }
    if (make(i, &e) < 0) {
        clear(i->temporary);
        (void)fprintf(stderr, "huddle-controller init: %s\n", e.text);
        return EXIT_FAILED;
    }
    tell(i, write_config(i));
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}

static void done(struct init *i)
{
    authority_free_names(i->names, i->n_names);
    if (i->token.length)
        explicit_bzero(i->token.data, i->token.length);
    strbuf_done(&i->token);
    free(i->temporary);
}

int init_main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        { "name", required_argument, NULL, 'n' }, { "listen", required_argument, NULL, 'l' },
        { "pki", required_argument, NULL, 'p' },  { "config", required_argument, NULL, 'c' },
        { "help", no_argument, NULL, 'h' },       { NULL, 0, NULL, 0 },
    };
    struct init i = { .dir = PKI_FOLDER_DEFAULT,
                      .config = CONFIG_DEFAULT_FILE,
                      .listen = "0.0.0.0:7443" };
    int option, r = 0;

    while (r == 0 && (option = getopt_long(argc, argv, "h", OPTIONS, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(HELP, stdout);
            done(&i);
            return 0;
        }
        r = take_option(&i, option);
    }
    if (r == 0 && optind < argc)
        r = usage("what is", argv[optind]);
    if (r == 0)
        r = check(&i);
    if (r == 0) {
        add_own_names(&i);
        i.temporary = beside(i.dir);
        r = run(&i);
    }
    done(&i);
    return r;
}
