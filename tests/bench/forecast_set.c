/* See forecast_set.h. */
#include "tests/bench/forecast_set.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/array.h"

void set_add_peers(struct set *s, const char *path)
{
    FILE *f = fopen(path, "re");
    char line[512];

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        struct peer_row row = { 0 };

        if (sscanf(line, "%63s %*s %*s %15s %*s %*s %*s %lf %*s %lf %lf", row.series, row.method,
                   &row.mase, &row.pin90, &row.pin95) == 5)
            *ARRAY_ADD(s, peers) = row;
    }
    (void)fclose(f);
}

struct score set_best_peer(const struct set *s, const char *series)
{
    struct score best = { .mase = NAN, .pin90 = NAN, .pin95 = NAN };

    ARRAY_FOREACH(p, s, peers) {
        if (strcmp(p->series, series) != 0)
            continue;
        best.mase = fmin(best.mase, p->mase); /* fmin skips the NAN */
        best.pin90 = fmin(best.pin90, p->pin90);
        best.pin95 = fmin(best.pin95, p->pin95);
    }
    return best;
}

static int is_csv(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > 4 && strcmp(d->d_name + n - 4, ".csv") == 0;
}

static int add_file(struct set *s, const char *path, struct err *e)
{
    struct record record = { 0 };
    int r = record_read(path, &record, e);

    if (r < 0)
        free(record.value);
    else
        *ARRAY_ADD(s, records) = record;
    return r;
}

static int add_folder(struct set *s, const char *folder, struct err *e)
{
    struct dirent **names;
    int n = scandir(folder, &names, is_csv, alphasort), r = 0;
    char path[4096];

    if (n < 0)
        return err_errno(e, -errno, "%s", folder);
    if (n == 0)
        r = err_set(e, -ENOENT, "%s: holds no .csv file with lines \"t,value\"", folder);
    snprintf(path, sizeof(path), "%s/peers.tsv", folder);
    set_add_peers(s, path);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        if (r == 0)
            r = add_file(s, path, e);
        free(names[i]);
    }
    free(names);
    return r;
}

int set_add(struct set *s, const char *path, struct err *e)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? add_folder(s, path, e)
                                                       : add_file(s, path, e);
}

void set_done(struct set *s)
{
    ARRAY_FOREACH(r, s, records)
        free(r->value);
    free(s->records);
    free(s->peers);
}
