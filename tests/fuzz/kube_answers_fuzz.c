/* What an API server, or an exec plugin, says: any JSON is read without a crash, what is told to
 * people has no control byte, and what becomes part of a header or a path has none either. */
#include <errno.h>
#include <jansson.h>

#include "controller/kube_client/kube_discovery_private.h"
#include "controller/kube_client/kube_exec_text.h"
#include "controller/kube_client/kube_status.h"
#include "tests/fuzz/fuzz.h"

static void check_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        MUST(*p >= ' ' && *p != 0x7f);
}

static void read_status(const json_t *value)
{
    static const int codes[] = { 200, 409, 410, 429, 504 };
    struct kube_status s;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        kube_status_read(codes[i], value, 0, &s);
        check_text(s.message.text);
        MUST(s.retry_after_ms >= 0 && s.retry_after_ms <= 3600000);
        MUST(kube_reason_name(s.reason)[0]);
    }
}

static void discover(const json_t *value)
{
    struct kube_capabilities c;

    kube_discovery_begin(&c);
    kube_discovery_version(&c, value);
    if (kube_discovery_is_aggregated(value))
        kube_discovery_aggregated(&c, value);
    kube_discovery_resources(&c, "", "v1", value);
    kube_discovery_end(&c);
    for (int i = 0; i < KUBE_RESOURCE_COUNT; i++) {
        char *path = kube_path(&c, (enum kube_resource)i, "ns", "name");

        MUST((path != NULL) == c.resource[i].served);
        MUST(!path || path[0] == '/');
        free(path);
    }
}

static void read_plugin(const uint8_t *data, size_t size)
{
    static const char version[] = "client.authentication.k8s.io/v1";
    struct kube_exec_said said;
    struct err e = ERR_INIT;

    if (kube_exec_read(version, (const char *)data, size, &said, &e) < 0) {
        check_text(e.text);
        return;
    }
    check_text(said.token);
    MUST(said.token[0] || said.certificate[0]);
    kube_exec_said_done(&said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);

    if (value) {
        read_status(value);
        discover(value);
    }
    json_decref(value);
    read_plugin(data, size);
    return 0;
}
