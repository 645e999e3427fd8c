/* What an agent finds in its folder at start: refused with a reason, or taken; then its report can
 * be sent, and what it writes is accepted by the next one. The first byte says which file it is. */
#include "agent/agent.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS 2000000

static const struct agent_options OPTIONS = {
    .node = "n1", .boot_id = "boot-1", .sleep_not = "", .sleeps_per_day = 4, .foreign_percent = 2
};

static struct agent *make(const struct agent_files *files, int64_t now_ms)
{
    struct agent *agent = NULL;
    struct err e = ERR_INIT;

    if (agent_new(&OPTIONS, files, now_ms, 1760000000000, &agent, &e) < 0)
        MUST(e.text[0] && !agent);
    return agent;
}

static void step(struct agent *agent, enum agent_event_kind kind, int64_t now_ms,
                 struct agent_effects *fx)
{
    struct sample sample = { .boot_ms = now_ms, .cpu = { .valid = true, .online = 1 } };
    struct agent_event event = { .kind = kind, .wall_ms = 1760000000000 };

    if (kind == AE_SAMPLE)
        event.sample = &sample;
    agent_step(agent, &event, now_ms, fx);
}

/* Everything that comes out to be read by a later agent. */
static void check_effects(struct agent_effects *fx)
{
    struct agent_effect x;
    bool sent = false;

    while (agent_effects_take(fx, &x)) {
        struct agent_files files = { 0 };

        if (x.kind == AX_SAVE && x.save.file == AGENT_FILE_STATE)
            files.state = (struct agent_saved){ x.save.bytes, x.save.n };
        if (x.kind == AX_SAVE && x.save.file == AGENT_FILE_DESIRED)
            files.desired = (struct agent_saved){ x.save.bytes, x.save.n };
        if (x.kind == AX_KEEP)
            files.ledger = (struct agent_saved){ x.keep.bytes, x.keep.n };
        if (files.state.bytes || files.desired.bytes || files.ledger.bytes) {
            struct agent *next = make(&files, NOW_MS + 1);

            MUST(next);
            agent_free(next);
        }
        sent |= x.kind == AX_SEND;
        agent_effect_done(&x);
    }
    MUST(sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agent_files files = { 0 };
    struct agent_effects fx = { 0 };
    struct agent *agent;
    AUTO(mem) char *bytes = NULL;

    if (size < 1)
        return 0;
    bytes = malloc(size); /* exactly: a byte too far is seen */
    MUST(bytes);
    memcpy(bytes, data + 1, size - 1);
    (data[0] == 's'   ? &files.state
     : data[0] == 'd' ? &files.desired
                      : &files.ledger)[0] = (struct agent_saved){ bytes, size - 1 };
    agent = make(&files, NOW_MS);
    if (agent) {
        step(agent, AE_TICK, NOW_MS, &fx);
        step(agent, AE_SAMPLE, NOW_MS + 1, &fx);
        check_effects(&fx);
        agent_free(agent);
    }
    agent_effects_done(&fx);
    return 0;
}
