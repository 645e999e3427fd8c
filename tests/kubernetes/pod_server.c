/* The HTTP server in the pods of the tests: one static program, a thread for each connection.
 *
 *   pod_server PORT [DRAIN_MS]
 *
 * GET /            200, the pod's name (its host name) and a newline
 * GET /healthz     200; 503 once it is told to end
 * GET /slow?N      the same as /, after N ms
 * GET /stream?N    a chunk with the pod's name every 100 ms for N ms
 *
 * On SIGTERM it accepts no more connections, answers what was asked on those that it has, each time
 * for the last time, and exits 0 when none is left or DRAIN_MS (20,000) have passed. It must not be
 * told to end before nobody sends it new connections: that is what a preStop hook is for. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define CHUNK_EVERY_MS 100
#define IDLE_LOOK_MS 50 /* how soon an idle connection notices the end */

static atomic_bool ending;
static atomic_int n_connections;
static char pod_name[256];

static void on_term(int number)
{
    (void)number;
    ending = true;
}

static void sleep_ms(long ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static bool send_all(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* The answer and whether the connection stays: not when the end was told before. */
static bool answer(int fd, int status, const char *body)
{
    char text[1024];
    bool last = ending;
    int n = snprintf(text, sizeof(text), "HTTP/1.1 %d %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                     status, status == 200 ? "OK" : "Not so", strlen(body),
                     last ? "Connection: close\r\n" : "", body);

    return send_all(fd, text, (size_t)n) && !last;
}

static bool stream(int fd, long ms)
{
    static const char head[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    char chunk[300];
    int n = snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(pod_name), pod_name);

    if (!send_all(fd, head, sizeof(head) - 1))
        return false;
    for (long passed = 0; passed < ms; passed += CHUNK_EVERY_MS) {
        if (!send_all(fd, chunk, (size_t)n))
            return false;
        sleep_ms(CHUNK_EVERY_MS);
    }
    send_all(fd, "0\r\n\r\n", 5);
    return false;
}

/* Answers one request; false when the connection is to be closed. */
static bool serve(int fd, const char *request)
{
    char path[64];
    long ms = 0;

    if (sscanf(request, "GET %63[^? \r\n]?%ld", path, &ms) < 1)
        return answer(fd, 400, "GET /, /healthz, /slow?MS or /stream?MS\n") && false;
    if (!strcmp(path, "/healthz"))
        return answer(fd, ending ? 503 : 200, "");
    if (!strcmp(path, "/stream"))
        return stream(fd, ms);
    if (!strcmp(path, "/slow"))
        sleep_ms(ms);
    else if (strcmp(path, "/") != 0)
        return answer(fd, 404, "");
    return answer(fd, 200, pod_name);
}

/* Waits for the next request. An idle connection stays for a moment after the end was told: its
 * next request may be on its way. */
static bool readable(int fd, bool fresh)
{
    for (int looks_left = fresh ? 100 : 10;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int r = poll(&p, 1, IDLE_LOOK_MS);

        if (r > 0)
            return true;
        if ((r < 0 && errno != EINTR) || (ending && looks_left-- == 0))
            return false;
    }
}

static void *connection(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char request[REQUEST_MAX + 1];
    size_t n = 0;
    bool fresh = true;

    while (n < REQUEST_MAX && readable(fd, fresh)) {
        ssize_t got = recv(fd, request + n, REQUEST_MAX - n, 0);
        char *end;

        if (got <= 0)
            break;
        n += (size_t)got;
        request[n] = '\0';
        end = strstr(request, "\r\n\r\n");
        if (!end)
            continue;
        if (!serve(fd, request))
            break;
        n -= (size_t)(end + 4 - request);
        memmove(request, end + 4, n);
        fresh = false;
    }
    shutdown(fd, SHUT_WR);
    close(fd);
    n_connections--;
    return NULL;
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 512) < 0) {
        perror("pod_server");
        exit(EXIT_FAILURE);
    }
    return fd;
}

static void accept_one(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pthread_t thread;

    if (fd < 0)
        return;
    n_connections++;
    if (pthread_create(&thread, NULL, connection, (void *)(intptr_t)fd) == 0) {
        pthread_detach(thread);
        return;
    }
    n_connections--;
    close(fd);
}

int main(int argc, char **argv)
{
    const struct sigaction terminate = { .sa_handler = on_term };
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long drain_ms = argc > 2 ? strtol(argv[2], NULL, 10) : 20000;
    int listener;

    if (port < 1 || port > 65535 || drain_ms < 0) {
        fprintf(stderr, "pod_server PORT [DRAIN_MS]\n");
        return EXIT_FAILURE;
    }
    gethostname(pod_name, sizeof(pod_name) - 1);
    sigaction(SIGTERM, &terminate, NULL);
    listener = listen_on((uint16_t)port);
    while (!ending) {
        struct pollfd p = { .fd = listener, .events = POLLIN };

        if (poll(&p, 1, IDLE_LOOK_MS) > 0)
            accept_one(listener);
    }
    close(listener);
    for (; n_connections > 0 && drain_ms > 0; drain_ms -= IDLE_LOOK_MS)
        sleep_ms(IDLE_LOOK_MS);
    return EXIT_SUCCESS;
}
