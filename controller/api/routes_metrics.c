/* /metrics: asks the backend for what it shows, one after the other, and renders it. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controller/api/metrics.h"
#include "controller/api/routes.h"
#include "controller/api/server_private.h"
#include "proto/base/array.h"
#include "proto/base/clock.h"
#include "proto/base/exposition.h"

#define DAY_MS 86400000

static const char *const PARTS[REQUEST_PARTS] = { "clusters", "nodes", "servedmodels" };

/* --- of the daemon itself ----------------------------------------------------------------------
 */

static int64_t count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the directory's own */

    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    (void)closedir(dir);
    return n;
}

static int64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long long pages = -1;

    if (!f)
        return -1;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = -1;
    (void)fclose(f);
    return pages < 0 ? -1 : (int64_t)pages * sysconf(_SC_PAGESIZE);
}

/* Field 22 of /proc/self/stat: ticks after boot. The command's name before it may hold spaces. */
static double start_wall_s(void)
{
    FILE *f = fopen("/proc/self/stat", "re");
    char text[1024];
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    unsigned long long ticks;
    const char *rest;

    if (f)
        (void)fclose(f);
    text[n] = '\0';
    rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                        "%*d %llu",
                        &ticks) != 1)
        return -1;
    return (double)(clock_wall_ms() - clock_boot_ms()) / 1e3 +
           (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static struct metrics_process read_process(void)
{
    struct metrics_process p = { .open_fds = count_fds(),
                                 .resident_bytes = resident_bytes(),
                                 .start_wall_s = start_wall_s(),
                                 .cpu_s = -1,
                                 .most_fds = -1 };
    struct rusage used;
    struct rlimit most;

    if (getrusage(RUSAGE_SELF, &used) == 0)
        p.cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                  (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur != RLIM_INFINITY)
        p.most_fds = (int64_t)most.rlim_cur;
    return p;
}

/* --- the page ----------------------------------------------------------------------------------
 */

static void render(struct request *rq)
{
    const struct api_backend *b = &rq->server->backend;
    AUTO(strbuf) struct strbuf page = STRBUF_INIT;
    uint64_t answers[ARRAY_LEN(rq->server->answers)];
    struct metrics_source from = { .clusters = rq->parts[0],
                                   .nodes = rq->parts[1],
                                   .models = rq->parts[2],
                                   .report = rq->status == 200 ? rq->object : NULL,
                                   .answers = answers,
                                   .watches = watch_hub_count(rq->server->hub),
                                   .process = read_process() };

    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        answers[i] = atomic_load(&rq->server->answers[i]);
    b->stats(b->data, &from.stats);
    metrics_render(&from, &page);
    request_text(rq, 200, EXPOSITION_CONTENT_TYPE, strbuf_text(&page), page.length);
}

static void take_part(struct request *rq)
{
    int64_t now_ms = clock_wall_ms();

    if (request_refused(rq))
        return;
    rq->parts[rq->n_parts++] = TAKE(rq->object);
    if (rq->n_parts < REQUEST_PARTS)
        request_get(rq, PARTS[rq->n_parts], NULL, take_part);
    else
        request_report(rq, now_ms - DAY_MS, now_ms, render);
}

void routes_metrics(struct request *rq)
{
    request_get(rq, PARTS[0], NULL, take_part);
}
