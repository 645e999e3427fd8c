/* Short texts that people and tools write: selectors, times, addresses, days of the week. What is
 * refused says why; what is taken has a meaning. */
#include <jansson.h>

#include "controller/cli/moment.h"
#include "controller/reconcile/window.h"
#include "proto/base/address.h"
#include "proto/base/clock.h"
#include "proto/selector.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS INT64_C(1790000000000)

static const char OBJECT[] = "{\"metadata\":{\"name\":\"n1\",\"labels\":{\"rack\":\"a\"}},"
                             "\"spec\":{\"node\":\"n1\",\"n\":3,\"on\":true,\"none\":null},"
                             "\"status\":{\"state\":\"awake\",\"list\":[1]}}";

static void try_selectors(const char *text)
{
    static json_t *object;
    AUTO(selector) struct selector *labels = NULL, *fields = NULL;
    struct err e = ERR_INIT, f = ERR_INIT;

    if (!object)
        object = json_loads(OBJECT, 0, NULL);
    if (selector_add_labels(&labels, text, &e) == 0)
        (void)selector_matches(labels, object);
    else
        MUST(e.text[0]);
    if (selector_add_fields(&fields, text, &f) == 0)
        (void)selector_matches(fields, object);
    else
        MUST(f.text[0]);
}

static void try_times(const char *text)
{
    int64_t wall_ms = -1, again_ms = -1;
    char printed[CLOCK_TEXT_MAX];
    struct err e = ERR_INIT;

    if (clock_parse(text, &wall_ms) == 0) {
        clock_format(wall_ms, printed);
        MUST(clock_parse(printed, &again_ms) == 0 && again_ms == wall_ms / 1000 * 1000);
    }
    if (moment_parse(text, NOW_MS, &wall_ms, &e) < 0)
        MUST(e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), host[300];
    uint16_t port;

    try_selectors(text);
    try_times(text);
    MUST(window_days(text) < 1u << 7);
    if (address_split(text, host, sizeof(host), &port) == 0) {
        MUST(host[0] && strlen(host) < sizeof(host));
        MUST(!address_is_loopback(host) || address_is_ip(host) || strcmp(host, "localhost") == 0);
    }
    free(text);
    return 0;
}
