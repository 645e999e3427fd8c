#include "controller/kubernetes/drain_safe.h"

#include <stdlib.h>
#include <string.h>

static bool is_word(const json_t *v, const char *part)
{
    const char *text = json_string_value(v);

    return text && strstr(text, part);
}

/* The value of --shutdown-timeout among the words of a command, 0 where it is not given. */
static double shutdown_timeout(const json_t *words)
{
    static const char flag[] = "--shutdown-timeout";
    const json_t *word;
    size_t i;

    json_array_foreach(words, i, word) {
        const char *text = json_string_value(word);

        if (!text || strncmp(text, flag, sizeof(flag) - 1) != 0)
            continue;
        text += sizeof(flag) - 1;
        if (*text == '=')
            return strtod(text + 1, NULL);
        text = json_string_value(json_array_get(words, i + 1));
        return text ? strtod(text, NULL) : 0;
    }
    return 0;
}

static bool is_vllm(const json_t *container)
{
    const char *const list[] = { "command", "args" };
    const json_t *word;
    size_t i;

    if (is_word(json_object_get(container, "image"), "vllm"))
        return true;
    for (size_t k = 0; k < 2; k++)
        json_array_foreach(json_object_get(container, list[k]), i, word)
            if (is_word(word, "vllm"))
                return true;
    return false;
}

static bool aborts_requests(const json_t *spec)
{
    const json_t *container;
    size_t i;

    json_array_foreach(json_object_get(spec, "containers"), i, container)
        if (is_vllm(container) && shutdown_timeout(json_object_get(container, "command")) <= 0 &&
            shutdown_timeout(json_object_get(container, "args")) <= 0)
            return true;
    return false;
}

enum drain_safety drain_safety_of(const struct view_pod *p, const json_t *spec, struct err *why)
{
    if (p->pre_stop_s < 0) {
        err_text(why,
                 "a container that serves has no preStop hook: requests that come before every "
                 "proxy knows that the pod ends would fail; give it lifecycle.preStop.sleep");
        return DRAIN_NO_PRE_STOP;
    }
    if (p->grace_s - p->pre_stop_s < DRAIN_LEAST_S) {
        err_text(
            why,
            "of terminationGracePeriodSeconds %lld the preStop hook takes %lld: less than %d s "
            "are left to end what is in flight; make the period as long as the longest "
            "request",
            (long long)p->grace_s, (long long)p->pre_stop_s, DRAIN_LEAST_S);
        return DRAIN_GRACE_TOO_SHORT;
    }
    if (aborts_requests(spec)) {
        err_text(why, "vLLM aborts what is in flight when it is told to end: give it "
                      "--shutdown-timeout with the seconds of the longest request");
        return DRAIN_SHUTDOWN_TIMEOUT_ZERO;
    }
    return DRAIN_SAFE;
}

const char *drain_safety_name(enum drain_safety d)
{
    static const char *const NAME[] = { "DrainSafe", "NoPreStop", "GraceTooShort",
                                        "ShutdownTimeoutZero" };

    return NAME[d];
}
