/* What a process is to be: see launch.h. */
#include "agent/replica/launch.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/sensor/text_file.h"
#include "proto/base/array.h"
#include "proto/base/cleanup.h"
#include "proto/base/strbuf.h"

#define GROUPS_MAX 1024
#define PASSWD_BYTES 16384
#define UID_MAP_BYTES 4096

void launch_done(struct launch *l)
{
    for (size_t i = 0; i < l->n_argv; i++)
        free(l->argv[i]);
    for (size_t i = 0; i < l->n_envp; i++)
        free(l->envp[i]);
    free(l->argv);
    free(l->envp);
    free(l->groups);
    *l = (struct launch){ 0 };
}

void launch_argument(struct launch *l, const char *word)
{
    *ARRAY_ADD(l, argv) = xstrdup(word);
    (void)ARRAY_ADD(l, argv); /* the closing NULL */
    l->n_argv--;
}

/* The place of KEY in envp, or n_envp. */
static size_t find_variable(const struct launch *l, const char *key)
{
    size_t n = strlen(key), i = 0;

    while (i < l->n_envp && (strncmp(l->envp[i], key, n) != 0 || l->envp[i][n] != '='))
        i++;
    return i;
}

void launch_variable(struct launch *l, const char *key, const char *value)
{
    struct strbuf pair = STRBUF_INIT;
    size_t i = find_variable(l, key);

    strbuf_printf(&pair, "%s=%s", key, value);
    if (i < l->n_envp) {
        free(l->envp[i]);
    } else {
        (void)ARRAY_ADD(l, envp);
        (void)ARRAY_ADD(l, envp);
        l->n_envp--;
    }
    l->envp[i] = strbuf_take(&pair);
}

const char *launch_variable_get(const struct launch *l, const char *key)
{
    size_t i = find_variable(l, key);

    return i < l->n_envp ? l->envp[i] + strlen(key) + 1 : NULL;
}

int launch_user(struct launch *l, const char *name, struct err *e)
{
    AUTO(mem) char *buffer = xmalloc(PASSWD_BYTES);
    AUTO(mem) gid_t *groups = xcalloc(GROUPS_MAX, sizeof(*groups));
    struct passwd entry, *found = NULL;
    int n = GROUPS_MAX, r;

    if (!*name)
        return 0;
    r = getpwnam_r(name, &entry, buffer, PASSWD_BYTES, &found);
    if (r)
        return err_errno(e, -r, "user %s", name);
    if (!found)
        return err_set(e, -ENOENT, "user %s: this node knows no such user", name);
    if (getgrouplist(name, entry.pw_gid, groups, &n) < 0)
        return err_set(e, -E2BIG, "user %s: in more than %d groups", name, GROUPS_MAX);
    free(l->groups);
    l->groups = TAKE(groups);
    l->n_groups = (size_t)n;
    l->uid = entry.pw_uid;
    l->gid = entry.pw_gid;
    l->switch_user = true;
    launch_variable(l, "HOME", entry.pw_dir && *entry.pw_dir ? entry.pw_dir : "/");
    launch_variable(l, "USER", name);
    launch_variable(l, "LOGNAME", name);
    return 0;
}

bool uid_map_holds(const char *map, uid_t uid)
{
    unsigned long long inside, outside, count;
    int used;

    for (; sscanf(map, " %llu %llu %llu%n", &inside, &outside, &count, &used) == 3; map += used)
        if (uid >= inside && uid - inside < count)
            return true;
    return false;
}

const char *launch_default_user(void)
{
    char map[UID_MAP_BYTES], buffer[1024];
    struct passwd entry, *nobody = NULL;

    if (geteuid() != 0 || getpwnam_r("nobody", &entry, buffer, sizeof(buffer), &nobody) != 0 ||
        !nobody)
        return "";
    if (text_file_read("/proc/self/uid_map", map, sizeof(map)) >= 0 &&
        !uid_map_holds(map, nobody->pw_uid))
        return "";
    return "nobody";
}
