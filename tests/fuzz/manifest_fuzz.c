/* Manifests, YAML or JSON: an error names the file; what is accepted can be printed, and the print
 * is accepted again.
 *
 * Seeds: tests/data/manifests/bad deploy/examples/demo deploy/examples */
#include "proto/manifest.h"
#include "tests/fuzz/fuzz.h"

static void print_and_read(const struct manifest *m)
{
    json_t *json = manifest_to_json(m);
    struct manifest *again = NULL;
    struct err e = ERR_INIT;

    MUST(json);
    MUST(manifest_from_json(json, "again", &again, &e) == 0);
    MUST(again->kind == m->kind);
    MUST(strcmp(again->meta.name, m->meta.name) == 0);
    manifest_free(again);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest **list = NULL;
    struct err e = ERR_INIT;
    size_t n = 0;

    if (manifest_parse("f.yaml", (const char *)data, size, &list, &n, &e) < 0) {
        MUST(strncmp(e.text, "f.yaml", 6) == 0);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        print_and_read(list[i]);
    manifest_list_free(list, n);
    return 0;
}
