/* Questions that take time, asked of one replica: is it ready, what does its page say, who is
 * connected. Each answer goes to the core, unless the replica has ended meanwhile. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/hands.h"
#include "proto/base/array.h"

#define SCRAPE_LIMIT_MS 2000

static struct errand *new_errand(struct service *s, const char *uid)
{
    struct errand *errand = xcalloc(1, sizeof(*errand));

    errand->service = s;
    errand->uid = xstrdup(uid);
    errand->next = s->errands;
    s->errands = errand;
    return errand;
}

static void end_errand(struct errand *errand)
{
    struct errand **at = &errand->service->errands;

    while (*at != errand)
        at = &(*at)->next;
    *at = errand->next;
    free(errand->uid);
    free(errand);
}

void errands_drop(struct service *s, const char *uid)
{
    struct errand *errand = s->errands;

    while (errand) {
        struct errand *next = errand->next;

        if (!uid || strcmp(errand->uid, uid) == 0) {
            if (errand->probe)
                probe_cancel(errand->probe);
            else
                scraper_cancel(s->scraper, agent_group_id(errand->uid));
            end_errand(errand);
        }
        errand = next;
    }
}

static void probe_answer(struct service *s, const char *uid, bool ok, const char *why,
                         bool port_taken)
{
    struct agent_event event = { .kind = AE_PROBE, .uid = uid };

    event.probe.ok = ok;
    event.probe.why = why;
    event.probe.port_taken = port_taken;
    hands_step(s, &event);
}

bool errands_ports_are_own(struct service *s, const struct wire_desired *desired, struct err *e)
{
    const uint32_t ports[] = { desired->port, desired->readiness.port };

    if (runtimes_port_is_proxied(s->runtimes, desired))
        return true;
    for (size_t i = 0; i < (ports[0] == ports[1] ? 1 : ARRAY_LEN(ports)); i++)
        if (process_port(s->processes, desired->uid, s->address, ports[i], e) == PORT_STRANGERS)
            return false;
    return true;
}

static void probed(void *data, bool ready, const char *why)
{
    struct errand *errand = data;
    struct service *s = errand->service;
    const struct wire_desired *desired = agent_desired(s->core, errand->uid);
    bool port_taken;
    struct err e = ERR_INIT;

    port_taken = ready && desired && !errands_ports_are_own(s, desired, &e);
    if (port_taken) {
        ready = false; /* a stranger has answered, or would be sent its requests */
        why = e.text;
    }
    probe_answer(s, errand->uid, ready, why, port_taken);
    end_errand(errand);
}

void errands_probe(struct service *s, const char *uid)
{
    const struct wire_desired *desired = agent_desired(s->core, uid);
    AUTO(launch) struct launch launch = { 0 };
    struct probe_target target = { .address = s->address, .launch = &launch };
    struct err e = ERR_INIT;
    struct errand *errand;

    if (!desired)
        return;
    if (desired->readiness.kind == PROBE_EXEC &&
        runtimes_resolve_probe(s->runtimes, desired, s->config->allow_commands, &launch, &e) < 0) {
        probe_answer(s, uid, false, e.text, false);
        return;
    }
    target.port = desired->port;
    errand = new_errand(s, uid);
    errand->probe = probe_start(s->loop, s->http, &desired->readiness, &target, probed, errand);
}

static void metrics_answer(struct service *s, const char *uid, const struct metrics *m,
                           const char *why)
{
    struct agent_event event = { .kind = AE_METRICS, .uid = uid };

    event.metrics.metrics = m;
    event.metrics.why = why;
    hands_step(s, &event);
}

static void scraped(void *data, uint64_t id, const struct metrics *m, const struct err *error)
{
    struct errand *errand = data;

    (void)id;
    metrics_answer(errand->service, errand->uid, m, error ? error->text : "");
    end_errand(errand);
}

void errands_scrape(struct service *s, const char *uid)
{
    const struct wire_desired *desired = agent_desired(s->core, uid);
    bool colon = strchr(s->address, ':') != NULL;
    char url[512];
    struct scrape what = { .id = agent_group_id(uid), .url = url, .limit_ms = SCRAPE_LIMIT_MS };
    struct err e = ERR_INIT;
    struct errand *errand;

    if (!desired)
        return;
    (void)snprintf(url, sizeof(url), "http://%s%s%s:%u%.256s", colon ? "[" : "", s->address,
                   colon ? "]" : "", desired->port, desired->metrics_path);
    what.preset = desired->metrics_preset;
    errand = new_errand(s, uid);
    if (scraper_start(s->scraper, &what, scraped, errand, &e) == 0)
        return;
    end_errand(errand);
    metrics_answer(s, uid, NULL, e.text);
}

void errands_count_connections(struct service *s, const char *uid)
{
    const struct wire_desired *desired = agent_desired(s->core, uid);
    struct agent_event event = { .kind = AE_CONNECTIONS, .uid = uid };
    int n = -1;

    /* Behind another network namespace there would be none to see, however many there are. */
    if (desired && !runtimes_port_is_proxied(s->runtimes, desired) &&
        process_port(s->processes, uid, s->address, desired->port, NULL) == PORT_OWN)
        n = process_connections(s->processes, desired->port);
    event.connections.known = n >= 0;
    event.connections.n = n > 0 ? (uint32_t)n : 0;
    hands_step(s, &event);
}
