/* Wants and looks for tests of the front door's pure parts: made of a few words. */
#ifndef TEST_DOOR_WORLD_H
#define TEST_DOOR_WORLD_H

#include <cmocka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/substrate/door_wants.h"
#include "controller/substrate/haproxy_view.h"
#include "proto/base/array.h"
#include "proto/base/strbuf.h"

/* Wants a model; `servers` like "a=127.0.0.1:1 b=127.0.0.1:2/drain". */
static inline int world_want(struct door_wants *w, const char *model, const char *probe,
                             int64_t limit, const char *servers, struct err *e)
{
    struct effect fx = { .kind = FX_DOOR, .door = { .model = xstrdup(model) } };
    struct door_want wants[8];
    char *text = xstrdup(servers), *rest;
    int r;

    fx.door.probe_path = xstrdup(probe);
    fx.door.concurrency = limit;
    fx.door.quantile = 0.9;
    fx.door.servers = wants;
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *address = strchr(word, '='), *drain = strstr(word, "/drain");

        *address++ = '\0';
        if (drain)
            *drain = '\0';
        wants[fx.door.n_servers++] =
            (struct door_want){ word, address, drain ? DOOR_DRAIN : DOOR_READY, 100 };
    }
    r = door_wants_take(w, &fx, e);
    free(text);
    free(fx.door.model);
    free(fx.door.probe_path);
    return r;
}

static inline void world_gone(struct door_wants *w, const char *model)
{
    struct effect fx = { .kind = FX_DOOR, .door = { .model = xstrdup(model), .gone = true } };

    (void)door_wants_take(w, &fx, NULL);
    free(fx.door.model);
}

/* A look at an HAProxy with two slots of each kind. routes and probes: "KEY VALUE\n"...;
 * states: "SLOT NAME IP OP ADMIN WEIGHT CHECK HEALTH PORT\n"...; stat: rows of
 * "SLOT,NAME,qcur,scur,slim,stot,hrsp_5xx,srv_abrt\n", BACKEND rows of slots not named are added.
 */
static inline struct haproxy_view *world_look(const char *routes, const char *probes,
                                              const char *states, const char *stat)
{
    static const char *const slots[] = { "http-0", "http-1", "tcp-0", "tcp-1" };
    struct strbuf b = STRBUF_INIT;
    struct haproxy_view *v = NULL;
    struct err e = ERR_INIT;
    const char *maps[] = { routes, probes };
    size_t n;

    strbuf_puts(&b, "Pid: 7\nStart_time_sec: 5\n\n");
    for (int i = 0; i < 2; i++) {
        for (const char *p = maps[i]; *p; p = strchr(p, '\n') + 1)
            strbuf_printf(&b, "0x1 %.*s\n", (int)strcspn(p, "\n"), p);
        strbuf_putc(&b, '\n');
    }
    strbuf_printf(&b,
                  "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight "
                  "srv_check_state srv_check_health srv_port\n%s\n"
                  "# pxname,svname,qcur,scur,slim,stot,hrsp_5xx,srv_abrt\n%s",
                  states, stat);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        char row[32];

        snprintf(row, sizeof(row), "%s,BACKEND,", slots[i]);
        if (!strstr(stat, row))
            strbuf_printf(&b, "%s0,0,1,0,0,0\n", row);
    }
    strbuf_putc(&b, '\n');
    n = b.length;
    if (haproxy_view_parse(strbuf_take(&b), n, &v, &e) < 0)
        fail_msg("%s", e.text);
    return v;
}

#endif
