/* The first process of every pod's sandbox: holds its namespaces open and takes in orphans until it
 * is told to end. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int number)
{
    (void)number;
    _exit(0);
}

static void reap(int number)
{
    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

int main(void)
{
    const struct sigaction ends = { .sa_handler = end };
    const struct sigaction reaps = { .sa_handler = reap, .sa_flags = SA_NOCLDSTOP };

    if (sigaction(SIGTERM, &ends, NULL) < 0 || sigaction(SIGINT, &ends, NULL) < 0 ||
        sigaction(SIGCHLD, &reaps, NULL) < 0)
        return EXIT_FAILURE;
    for (;;)
        pause();
}
