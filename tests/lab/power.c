/* lab-power: the lab's power switch, in both directions.
 *
 *     lab-power status|on|off|force-off NODE      as the controller's exec driver (JSON on stdin)
 *     lab-power --socket PATH VERB NODE           as a node's own powerOff command
 *
 * The driver contract is that of an exec driver of huddle: settings.socket on stdin names the lab's
 * socket; stdout gets {"power":"on"|"off","message":...}; exit code 0 accepted, 1 refused, 75 try
 * again. One line goes to the lab, one comes back. */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/base/cleanup.h"

enum { EXIT_ACCEPTED = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_RETRY = 75 };

static int ask(const char *socket_path, const char *verb, const char *node, char *answer,
               size_t size)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    AUTO(fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t n = 0;
    ssize_t got;

    if (strlen(socket_path) >= sizeof(to.sun_path))
        return -ENAMETOOLONG;
    memcpy(to.sun_path, socket_path, strlen(socket_path) + 1);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return -errno;
    if (dprintf(fd, "%s %s\n", verb, node) < 0)
        return -errno;
    while (n + 1 < size && (got = read(fd, answer + n, size - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return n ? 0 : -EPIPE;
}

static int run(const char *socket_path, const char *verb, const char *node)
{
    char answer[256], reply[512];
    int r = ask(socket_path, verb, node, answer, sizeof(answer));
    bool known = r == 0 && (strcmp(answer, "on") == 0 || strcmp(answer, "off") == 0);

    if (r < 0) {
        (void)fprintf(stderr, "lab-power: %s: %s\n", socket_path, strerror(-r));
        return EXIT_RETRY;
    }
    if (!known) {
        (void)fprintf(stderr, "lab-power: %s\n", answer);
        return EXIT_REFUSED;
    }
    (void)snprintf(reply, sizeof(reply), "{\"power\":\"%s\",\"message\":\"lab\"}", answer);
    (void)puts(reply);
    return EXIT_ACCEPTED;
}

int main(int argc, char **argv)
{
    json_t *order;
    const char *path = NULL;
    int code;

    if (argc == 5 && strcmp(argv[1], "--socket") == 0)
        return run(argv[2], argv[3], argv[4]);
    if (argc != 3) {
        (void)fputs("usage: lab-power [--socket PATH] status|on|off|force-off NODE\n", stderr);
        return EXIT_USAGE;
    }
    order = json_loadf(stdin, 0, NULL);
    if (json_unpack(order, "{s:{s:s}}", "settings", "socket", &path) < 0) {
        (void)fputs("lab-power: stdin: expected {\"settings\":{\"socket\":PATH}}\n", stderr);
        json_decref(order);
        return EXIT_USAGE;
    }
    code = run(path, argv[1], argv[2]);
    json_decref(order);
    return code;
}
