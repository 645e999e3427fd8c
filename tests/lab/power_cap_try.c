/* Tries the watt cap on this machine's powercap tree, for tests/integration/test_power_cap.py. Says
 * "ok" once it has opened the files, waits for the end of standard input, then does each argument
 * and prints one line for it:
 *
 *     read            the limits, and keeps them as the originals
 *     set=UW          caps, and prints what is in force
 *     restore         gives the originals back
 *     reopen          as after a restart of the agent: only the originals are kept
 *     forget          the originals too
 *     put=FILE=TEXT   writes a file of the tree, as somebody else would
 *     link=FILE=PATH  puts a link in a file's place, to one that takes writes in its own way
 *     show=FILE       a file of the tree */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/power_cap.h"

static struct power_cap *cap;
static struct power_cap_originals originals;

static void print_result(int r, const struct err *e)
{
    (void)printf("%s\n", r < 0 ? e->text : "done");
}

static void read_limits(void)
{
    struct err e = ERR_INIT;
    int r = power_cap_read(cap, &originals, &e);

    for (size_t i = 0; r == 0 && i < originals.n; i++)
        (void)printf("%s=%" PRIu64 "%s ", originals.package[i].path, originals.package[i].limit_uw,
                     originals.package[i].enabled ? "" : "(off)");
    print_result(r, &e);
}

static void set(const char *text)
{
    struct err e = ERR_INIT;
    uint64_t now_uw = 0;
    int r = power_cap_set(cap, &originals, strtoull(text, NULL, 10), &now_uw, &e);

    if (r == 0)
        (void)printf("%" PRIu64 " ", now_uw);
    print_result(r, &e);
}

static void show(const char *name)
{
    char path[512], line[128] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/sys/class/powercap/%s", name);
    file = fopen(path, "re");
    if (file && !fgets(line, sizeof(line), file))
        line[0] = '\0';
    if (file)
        (void)fclose(file);
    (void)printf("%.*s\n", (int)strcspn(line, "\n"), line);
}

static void put(const char *text)
{
    char path[512];
    const char *value = strchr(text, '=');
    FILE *file;

    (void)snprintf(path, sizeof(path), "/sys/class/powercap/%.*s", (int)(value - text), text);
    file = fopen(path, "we");
    if (file) {
        (void)fprintf(file, "%s\n", value + 1);
        (void)fclose(file);
    }
    (void)puts("done");
}

static void put_link(const char *text)
{
    char path[512];
    const char *target = strchr(text, '=');

    (void)snprintf(path, sizeof(path), "/sys/class/powercap/%.*s", (int)(target - text), text);
    (void)unlink(path);
    (void)puts(symlink(target + 1, path) == 0 ? "done" : "no link");
}

static void reopen(void)
{
    power_cap_free(cap);
    cap = power_cap_new();
    (void)puts("done");
}

static void run(const char *what)
{
    struct err e = ERR_INIT;

    if (strcmp(what, "read") == 0)
        read_limits();
    else if (strncmp(what, "set=", 4) == 0)
        set(what + 4);
    else if (strcmp(what, "restore") == 0)
        print_result(power_cap_restore(cap, &originals, &e), &e);
    else if (strcmp(what, "reopen") == 0)
        reopen();
    else if (strcmp(what, "forget") == 0)
        originals.n = 0;
    else if (strncmp(what, "put=", 4) == 0)
        put(what + 4);
    else if (strncmp(what, "link=", 5) == 0)
        put_link(what + 5);
    else if (strncmp(what, "show=", 5) == 0)
        show(what + 5);
}

int main(int argc, char **argv)
{
    cap = power_cap_new();
    (void)puts("ok");
    (void)fflush(stdout);
    while (getchar() != EOF)
        ;
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    power_cap_free(cap);
    return 0;
}
