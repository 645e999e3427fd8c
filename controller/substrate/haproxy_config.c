/* The HAProxy configuration of the front door: see haproxy_config.h. Every line that is not obvious
 * says why in the text itself: people read it too. No regular expressions: PCRE's compiler needs
 * memory that is writable and executable, which the systemd unit forbids. */
#include "controller/substrate/haproxy_config.h"

#include <inttypes.h>
#include <stdio.h>

#include "proto/base/random.h"

#define CONNECT_MS 500 /* also the pause before another server is tried */
#define TRIES 20

const char *haproxy_config_script(void)
{
    return "-- Lets a request wait for a server of its slot: HAProxy itself queues only while "
           "there\n"
           "-- is one. Made by huddle-controller.\n"
           "core.register_action(\"huddle_wait\", { \"http-req\" }, function(txn, most_ms)\n"
           "    local slot = txn.f:be_name()\n"
           "    local waited, pause = 0, 10\n"
           "    while tonumber(txn.f:nbsrv(slot)) == 0 and txn.f:stopping() == 0 do\n"
           "        if waited >= tonumber(most_ms) then\n"
           "            txn:set_var(\"txn.huddle_waited\", 1)\n"
           "            return\n"
           "        end\n"
           "        core.msleep(pause)\n"
           "        waited = waited + pause\n"
           "        pause = math.min(pause * 2, 100)\n"
           "    end\n"
           "end, 1)\n";
}

static void write_global(const struct haproxy_config *c, const char *description,
                         struct strbuf *out)
{
    strbuf_puts(out, "# Front door of huddle. Made by huddle-controller; changes are lost.\n"
                     "global\n");
    if (c->own)
        strbuf_printf(
            out,
            "    stats socket %s mode 600 level admin expose-fd listeners\n"
            "    # Binding to the processors of one socket would need a system call that\n"
            "    # the systemd unit forbids.\n"
            "    no numa-cpu-mapping\n",
            c->socket);
    else
        strbuf_printf(out,
                      "    # huddle-controller must be in this group.\n"
                      "    stats socket %s mode 660 group haproxy level admin expose-fd listeners\n"
                      "    user haproxy\n"
                      "    group haproxy\n",
                      c->socket);
    strbuf_puts(out, "    stats timeout 1h\n");
    if (c->connections)
        strbuf_printf(out, "    maxconn %" PRIu32 "\n", c->connections);
    strbuf_printf(out,
                  "    description %s\n"
                  "    lua-load %s\n\n"
                  "# One line per finished request, for latency; read over the Runtime API.\n"
                  "ring " HAPROXY_RING "\n"
                  "    format raw\n"
                  "    maxlen 128\n"
                  "    size 1048576\n\n",
                  description, c->script);
}

static void write_defaults(const struct haproxy_config *c, const char *name, struct strbuf *out)
{
    strbuf_printf(out,
                  "defaults %s\n"
                  "    mode http\n"
                  "    option forwardfor\n"
                  "    option http-no-delay\n"
                  "    # A client that has gone is noticed only where its frontend asks, too.\n"
                  "    option abortonclose\n"
                  "    timeout client %" PRId64 "ms\n"
                  "    timeout server %" PRId64 "ms\n"
                  "    timeout tunnel 1h\n"
                  "    timeout http-request 30s\n"
                  "    timeout http-keep-alive 60s\n"
                  "    timeout client-fin 30s\n"
                  "    timeout connect %dms\n"
                  "    timeout queue %" PRId64 "ms\n"
                  "    timeout check 5s\n",
                  name, c->answer_ms, c->answer_ms, CONNECT_MS, c->queue_ms);
}

static void write_frontend(const struct haproxy_config *c, struct strbuf *out)
{
    write_defaults(c, "huddle-clients", out);
    strbuf_printf(out,
                  "    # A client that keeps its connection is told to close it with its next\n"
                  "    # answer, rather than finding it closed under its next request.\n"
                  "    option idle-close-on-response\n\n"
                  "frontend huddle from huddle-clients\n"
                  "    bind %s\n"
                  "    log ring@" HAPROXY_RING " local0\n"
                  "    log-format \"%%b %%Ta %%ST %%ts\"\n",
                  c->listen);
    strbuf_printf(
        out,
        "    http-request set-var(txn.slot) req.hdr(x-huddle-model),lower,map(%s)\n"
        "    http-request set-var(txn.slot) req.hdr(host),field(1,:),lower,map(%s)"
        " unless { var(txn.slot) -m found }\n"
        "    http-request set-var(txn.by_path) path,field(2,/),map(%s)"
        " unless { var(txn.slot) -m found }\n"
        "    http-request set-path /%%[path,field(3,/,0)] if { var(txn.by_path) -m found }\n"
        "    http-request set-var(txn.slot) var(txn.by_path) if { var(txn.by_path) -m found }\n"
        "    http-request set-var(txn.slot) req.hdr(host),field(1,:),field(1,.),lower,map(%s)"
        " unless { var(txn.slot) -m found }\n",
        c->routes, c->routes, c->routes, c->routes);
    strbuf_puts(out, "    http-request return status 404 content-type application/json"
                     " string '{\"error\":\"no such model\"}' unless { var(txn.slot) -m found }\n"
                     "    use_backend %[var(txn.slot)]\n\n");
}

static void write_slot_defaults(const struct haproxy_config *c, const char *name,
                                struct strbuf *out)
{
    write_defaults(c, name, out);
    strbuf_printf(
        out,
        "    balance leastconn\n"
        "    # No connection is kept to a replica: none is found closed by one that stops.\n"
        "    option http-server-close\n"
        "    option redispatch 1\n"
        "    # Only what was never sent to a server is sent to another one: a request that ended "
        "one\n"
        "    # replica shall not end them all.\n"
        "    retries %d\n"
        "    retry-on conn-failure\n"
        "    http-error status 503 content-type application/json"
        " string '{\"error\":\"no replica is ready\"}' hdr Retry-After 5\n"
        "    http-request lua.huddle_wait %" PRId64 " if { nbsrv eq 0 } !{ stopping }\n"
        "    # The wait ended early: the client has gone. This is no failure of ours.\n"
        "    http-request reject if { nbsrv eq 0 } !{ stopping }"
        " !{ var(txn.huddle_waited) -m found }\n",
        TRIES, c->queue_ms);
}

static void write_slots(const struct haproxy_config *c, const char *prefix, struct strbuf *out)
{
    for (uint32_t i = 0; i < c->slots; i++)
        strbuf_printf(out, "backend %s%" PRIu32 " from huddle-%sslots\n", prefix, i, prefix);
}

static void write_text(const struct haproxy_config *c, const char *description, struct strbuf *out)
{
    write_global(c, description, out);
    write_frontend(c, out);
    write_slot_defaults(c, "huddle-" HAPROXY_PROBED "slots", out);
    strbuf_printf(out,
                  "    option httpchk\n"
                  "    http-check send meth GET uri-lf \"%%[be_name,map(%s,/)]\" ver HTTP/1.1"
                  " hdr Host huddle hdr Connection close\n"
                  "    http-check expect status 200-299\n\n",
                  c->probes);
    write_slots(c, HAPROXY_PROBED, out);
    strbuf_putc(out, '\n');
    write_slot_defaults(c, "huddle-" HAPROXY_CONNECTED "slots", out);
    strbuf_putc(out, '\n');
    write_slots(c, HAPROXY_CONNECTED, out);
}

void haproxy_config_description(const struct haproxy_config *c,
                                char description[HAPROXY_DESCRIPTION_MAX])
{
    AUTO(strbuf) struct strbuf text = STRBUF_INIT;

    write_text(c, "", &text);
    strbuf_puts(&text, haproxy_config_script());
    (void)snprintf(description, HAPROXY_DESCRIPTION_MAX, HAPROXY_MARK "%016" PRIx64,
                   random_hash(strbuf_text(&text)));
}

void haproxy_config_write(const struct haproxy_config *c, struct strbuf *out)
{
    char description[HAPROXY_DESCRIPTION_MAX];

    haproxy_config_description(c, description);
    write_text(c, description, out);
}
