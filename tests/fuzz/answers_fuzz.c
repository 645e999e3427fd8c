/* What a server answers huddlectl: any JSON is shown, explained and reported without a crash, and
 * no control byte of it reaches the terminal. */
#include <jansson.h>

#include "controller/cli/description.h"
#include "controller/cli/explanation.h"
#include "controller/cli/kind.h"
#include "controller/cli/report.h"
#include "controller/cli/text.h"
#include "controller/cli/writer.h"
#include "proto/base/strbuf.h"
#include "tests/fuzz/fuzz.h"

#define NOW_MS INT64_C(1790000000000)

static void check_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        MUST((*p >= ' ' || *p == '\n') && *p != 0x7f);
}

static void list(const char *format, const json_t *value)
{
    struct writer w;
    struct err e = ERR_INIT;

    MUST(writer_init(&w, format, &e) == 0);
    w.now_ms = NOW_MS;
    for (const struct kind *k = kinds(); k->name; k++) {
        writer_begin(&w, false);
        writer_item(&w, k, value);
        writer_item(&w, k, value);
        writer_end(&w);
    }
    check_text(strbuf_text(&w.out));
    writer_done(&w);
}

static void describe(const json_t *value, const json_t *related)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    for (const struct kind *k = kinds(); k->name; k++)
        description_print(&out, k, value, related, related, NOW_MS, false);
    check_text(strbuf_text(&out));
}

static void say(json_t *told)
{
    AUTO(strbuf) struct strbuf out = STRBUF_INIT;

    MUST(told && json_array_size(json_object_get(told, "sentences")) > 0);
    write_yaml(&out, told);
    check_text(strbuf_text(&out));
    json_decref(told);
}

static void report(const json_t *value)
{
    AUTO(strbuf) struct strbuf table = STRBUF_INIT, rest = STRBUF_INIT;

    report_table(&table, value, false);
    check_text(strbuf_text(&table));
    report_csv(&rest, value);
    report_html(&rest, value, "today");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *value = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *related;

    if (!json_is_object(value)) {
        json_decref(value);
        return 0;
    }
    related = json_pack("[O, O]", value, value);
    list("wide", value);
    list("yaml", value);
    describe(value, related);
    say(explanation_of_node(value, related, NOW_MS));
    say(explanation_of_replica(value, value, NOW_MS));
    say(explanation_of_model(value, related, NOW_MS));
    report(value);
    json_decref(related);
    json_decref(value);
    return 0;
}
