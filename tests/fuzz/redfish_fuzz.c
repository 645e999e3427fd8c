/* A BMC's answers to the driver "redfish": the bytes are one body after the other, a NUL between
 * them; the first byte says what is asked for. No answer is a reading unless it says On or Off. */
#include <string.h>

#include "controller/power/redfish_flow.h"
#include "tests/fuzz/fuzz.h"

static void play(enum power_action action, const char *bytes, size_t n)
{
    struct redfish_bmc bmc = { 0 };
    const struct redfish_order order = {
        .origin = "https://bmc", .user = "u", .password = "p", .action = action
    };
    struct redfish_flow *f = redfish_flow_new(&bmc, &order);
    struct redfish_ask ask;
    bool said = memmem(bytes, n, "On", 2) || memmem(bytes, n, "Off", 3) || memchr(bytes, '\\', n);

    for (int asked = 0; redfish_flow_ask(f, &ask); asked++) {
        const char *end = n ? memchr(bytes, 0, n) : NULL;
        size_t length = end ? (size_t)(end - bytes) : n;
        static const int statuses[] = { 200, 201, 401, 428, 409, 503, 404, 302 };
        const struct redfish_answer a = {
            .status = length ? statuses[(unsigned char)bytes[length - 1] / 16 % 8] : 200,
            .body = bytes,
            .n = length,
            .token = length > 20 ? "t" : NULL,
            .etag = "e",
        };

        MUST(asked < 20);
        MUST(ask.path[0] == '/' && ask.path[1] != '/');
        redfish_flow_answer(f, &a);
        bytes += length + (end ? 1 : 0);
        n -= length + (end ? 1 : 0);
    }
    MUST(redfish_flow_result(f)->reading == POWER_UNKNOWN || said);
    redfish_flow_free(f);
    redfish_bmc_done(&bmc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum power_action actions[] = { POWER_PROBE, POWER_WAKE, POWER_SOFT_OFF,
                                                 POWER_FORCE_OFF };
    char *text;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    play(actions[data[0] % 4], text, size - 1);
    free(text);
    return 0;
}
