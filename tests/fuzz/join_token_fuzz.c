/* Join tokens: the line that is kept, and the networks and addresses that people and sockets write.
 */
#include "controller/pki/join_token.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct err e = ERR_INIT;
    struct join_token t;

    if (join_token_parse(text, &t, &e) == 0) {
        MUST(t.uses > 0 && t.uses <= JOIN_TOKEN_USES_MOST && t.expires_ms);
        MUST(!t.from[0] || join_token_is_network(t.from));
    } else {
        MUST(e.text[0]);
    }
    if (join_token_is_network(text))
        (void)join_token_from(text, "192.0.2.1");
    (void)join_token_from("2001:db8::/33", text);
    if (join_token_is_id(text))
        MUST(strlen(text) == JOIN_TOKEN_ID_MAX - 1 && !strpbrk(text, "/."));
    free(text);
    return 0;
}
