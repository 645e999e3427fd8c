/* Occupants of a node: see sleep_check.h. systemd-logind publishes its sessions and inhibitors as
 * small KEY=VALUE files below /run/systemd (sd-login(3) reads the same ones), machined its guests.
 */
#include "agent/sleep_check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/sensor/text_file.h"

#define PATH_SIZE 512
#define TEXT_SIZE 4096

/* The value of KEY=VALUE on a line of its own; "" when there is none. */
static void value_of(const char *text, const char *key, char *value, size_t size)
{
    size_t n = strlen(key);

    value[0] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) != 0 || line[n] != '=')
            continue;
        (void)snprintf(value, size, "%.*s", (int)strcspn(line + n + 1, "\n"), line + n + 1);
        return;
    }
}

/* A person's session counts, not that of a service user or of the greeter. */
static bool session_refuses(const char *text, char *why, size_t size)
{
    char class[32], state[32], user[64];

    value_of(text, "CLASS", class, sizeof(class));
    value_of(text, "STATE", state, sizeof(state));
    value_of(text, "USER", user, sizeof(user));
    if (strncmp(class, "user", 4) != 0 || strcmp(state, "closing") == 0)
        return false;
    (void)snprintf(why, size, "somebody is logged in: %s", user[0] ? user : "unknown");
    return true;
}

static bool inhibitor_refuses(const char *text, char *why, size_t size)
{
    char what[128], mode[32], who[64];

    value_of(text, "WHAT", what, sizeof(what));
    value_of(text, "MODE", mode, sizeof(mode));
    value_of(text, "WHO", who, sizeof(who));
    if (strcmp(mode, "block") != 0 || (!strstr(what, "sleep") && !strstr(what, "shutdown")))
        return false;
    (void)snprintf(why, size, "an inhibitor is held by %s", who[0] ? who : "unknown");
    return true;
}

static bool machine_refuses(const char *text, char *why, size_t size)
{
    char name[128];

    value_of(text, "NAME", name, sizeof(name));
    (void)snprintf(why, size, "guest %s is running", name[0] ? name : "unknown");
    return true;
}

typedef bool refuses_fn(const char *text, char *why, size_t size);

static bool folder_refuses(const char *folder, refuses_fn *refuses, char *why, size_t size)
{
    char path[PATH_SIZE + 256], text[TEXT_SIZE];
    DIR *d = opendir(folder);
    bool refused = false;

    if (!d && errno == ENOENT)
        return false;
    if (!d)
        return snprintf(why, size, "%s: %s", folder, strerror(errno)) > 0;
    for (struct dirent *entry = readdir(d); entry && !refused; entry = readdir(d)) {
        /* FIFOs keep a session or an inhibitor alive, links name a guest's unit. */
        if (entry->d_name[0] == '.' || entry->d_type == DT_DIR || entry->d_type == DT_FIFO ||
            entry->d_type == DT_LNK)
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int r = text_file_read(path, text, sizeof(text));
        if (r >= 0 || r == -EFBIG)
            refused = refuses(text, why, size);
        else if (r == -ENOENT || r == -EINVAL) /* it has just ended; or no plain file */
            continue;
        else
            refused = snprintf(why, size, "%s: %s", path, strerror(-r)) > 0;
    }
    (void)closedir(d);
    return refused;
}

static bool machines_refuse(const char *run, char *why, size_t size)
{
    char folder[PATH_SIZE];

    (void)snprintf(folder, sizeof(folder), "%s/systemd/machines", run);
    return folder_refuses(folder, machine_refuses, why, size);
}

bool sleep_check_refuses(const struct sleep_check *c, char *why, size_t size)
{
    const char *run = c->run_root ? c->run_root : "/run";
    char folder[PATH_SIZE];
    struct stat st;

    if (stat(c->no_sleep_file, &st) == 0)
        return snprintf(why, size, "%s exists", c->no_sleep_file) > 0;
    if (errno != ENOENT && errno != ENOTDIR)
        return snprintf(why, size, "%s: %s", c->no_sleep_file, strerror(errno)) > 0;
    (void)snprintf(folder, sizeof(folder), "%s/systemd/sessions", run);
    if (folder_refuses(folder, session_refuses, why, size))
        return true;
    (void)snprintf(folder, sizeof(folder), "%s/systemd/inhibit", run);
    if (folder_refuses(folder, inhibitor_refuses, why, size))
        return true;
    return machines_refuse(run, why, size);
}
