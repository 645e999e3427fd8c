/* A reply from the network: what is accepted can be encoded, and is then accepted again.
 *
 * Seeds: tests/data/wire */
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(strbuf) struct strbuf bytes = STRBUF_INIT, again = STRBUF_INIT;
    AUTO(wire_reply) struct wire_reply *first = NULL, *second = NULL;
    struct err e = ERR_INIT;

    if (wire_reply_decode(data, size, &first, &e) < 0) {
        MUST(e.text[0] && !first);
        return 0;
    }
    MUST(wire_reply_encode(first, &bytes, &e) == 0);
    MUST(wire_reply_decode(bytes.data, bytes.length, &second, &e) == 0);
    MUST(wire_reply_encode(second, &again, &e) == 0);
    MUST(again.length == bytes.length);
    MUST(bytes.length == 0 || memcmp(again.data, bytes.data, bytes.length) == 0);
    return 0;
}
