/* Requests for certificates, certificates and bundles, as they come over the network before anybody
 * is known. What is taken has a meaning; what is refused says why. */
#include "proto/base/cleanup.h"
#include "proto/certificate.h"
#include "tests/fuzz/fuzz.h"

static void try_request(const char *text)
{
    char node[CERTIFICATE_NODE_MAX];
    struct err e = ERR_INIT;

    if (certificate_request_read(text, node, &e) == 0)
        MUST(certificate_is_node(node));
    else
        MUST(e.text[0]);
}

static void try_certificate(const char *text)
{
    char digest[CERTIFICATE_DIGEST_MAX], again[CERTIFICATE_DIGEST_MAX];
    AUTO(mem) char *picked = NULL;
    struct certificate c;
    struct err e = ERR_INIT;

    if (certificate_read(text, &c, &e) < 0) {
        MUST(e.text[0]);
        return;
    }
    MUST(strlen(c.node) < CERTIFICATE_NODE_MAX);
    MUST(!c.uid[0] || strlen(c.uid) == CERTIFICATE_UID_MAX - 1);
    if (certificate_digest(text, digest, &e) < 0)
        return;
    MUST(certificate_is_digest(digest));
    if (certificate_pick(text, digest, &picked, &e) == 0)
        MUST(certificate_digest(picked, again, &e) == 0 && strcmp(digest, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);

    try_request(text);
    try_certificate(text);
    free(text);
    return 0;
}
