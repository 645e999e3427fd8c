/* What a power driver's program says: never a reading unless it is well-formed, and whatever
 * reaches people is one printable line without a byte of a secret. */
#include <math.h>

#include "controller/power/exec_answer.h"
#include "controller/power/secrets.h"
#include "proto/base/utf8.h"
#include "tests/fuzz/fuzz.h"

#define LINE_SIZE 64
#define SECRET "s3cret\"x"

static void check_line(const char *line)
{
    size_t n = strlen(line);

    MUST(n < LINE_SIZE);
    for (size_t i = 0, length; i < n; i += length) {
        length = utf8_length((const unsigned char *)line + i);
        MUST(length > 0 && (unsigned char)line[i] >= 0x20 && line[i] != 0x7f);
    }
}

static void check_lines(const char *bytes, size_t n)
{
    char line[LINE_SIZE];

    exec_line(line, sizeof(line), bytes, n);
    check_line(line);
    exec_last_line(line, sizeof(line), bytes, n);
    check_line(line);
}

static void check_answer(const char *bytes, size_t n)
{
    struct exec_answer a = EXEC_ANSWER_NONE;
    struct err e = ERR_INIT;

    if (exec_answer_parse(bytes, n, &a, &e) < 0) {
        MUST(e.text[0] && !a.said && a.reading == POWER_UNKNOWN && !a.message);
        return;
    }
    MUST(a.said || (a.reading == POWER_UNKNOWN && isnan(a.watts) && !a.message));
    MUST(isnan(a.watts) || a.watts >= 0);
    exec_answer_done(&a);
}

/* Both spellings of the secret: as it is, and as it stands in JSON. */
static void check_redaction(const char *bytes, size_t n)
{
    struct secret one = { .name = "password", .text = (char *)SECRET };
    const struct secrets s = { .items = &one, .n_items = 1, .cap_items = 1 };
    struct strbuf out = STRBUF_INIT;

    one.escaped = (char *)"s3cret\\\"x";
    secrets_redact(&s, bytes, n, true, &out);
    MUST(!out.length || !memmem(out.data, out.length, one.text, strlen(one.text)));
    MUST(!out.length || !memmem(out.data, out.length, one.escaped, strlen(one.escaped)));
    strbuf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size); /* as the child's output: closed by NUL */

    check_answer(text, size);
    check_lines(text, size);
    check_redaction(text, size);
    free(text);
    return 0;
}
