/* The files that an administrator writes: both configurations, tokens, runtimes. Whatever a file
 * holds it is taken whole, or refused with its name. The first byte says which file it is.
 *
 * Seeds: deploy/examples */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/replica/runtimes.h"
#include "controller/api/auth.h"
#include "controller/config.h"
#include "tests/fuzz/fuzz.h"

static void write_all(const char *path, const uint8_t *data, size_t size)
{
    FILE *f = fopen(path, "w");

    MUST(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

static void check(int r, const struct err *e, const char *name)
{
    MUST(r >= 0 || strstr(e->text, name));
}

static void try_runtimes(const char *folder, const char *file)
{
    AUTO(runtimes) struct runtimes *list = NULL;
    struct err e = ERR_INIT;

    check(runtimes_load(folder, &list, &e), &e, file);
}

static void try_tokens(const char *file)
{
    AUTO(auth) struct auth *a = NULL;
    struct err e = ERR_INIT;
    struct bearer who;

    check(auth_new(file, &a, &e), &e, file);
    if (a)
        MUST(auth_check(a, "Bearer guessed", RIGHT_ADMIN, 0, &who) != 0);
}

static void try_agent(const char *file)
{
    struct agent_config *c = NULL;
    struct err e = ERR_INIT;

    check(agent_config_load(file, &c, &e), &e, file);
    agent_config_free(c);
}

static void try_controller(const char *file)
{
    struct config *c = NULL;
    struct err e = ERR_INIT;

    check(config_load(file, &c, &e), &e, file);
    config_free(c);
}

/* One folder for all inputs. */
static const char *folder_path(void)
{
    static char folder[] = "/tmp/huddle-fuzz-settings-XXXXXX";
    static bool made;

    if (!made)
        MUST(mkdtemp(folder));
    made = true;
    return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char file[128];

    if (size == 0)
        return 0;
    (void)snprintf(file, sizeof(file), "%s/f.yaml", folder_path());
    write_all(file, data + 1, size - 1);
    if (data[0] == 'r')
        try_runtimes(folder_path(), file);
    else if (data[0] == 't')
        try_tokens(file);
    else if (data[0] == 'c')
        try_controller(file);
    else
        try_agent(file);
    MUST(unlink(file) == 0);
    return 0;
}
