/* Stored rows: whatever they hold, a controller either starts and goes on, or refuses with a
 * reason. Input: one row a line, table number, key and value apart by single spaces. */
#include <stdbool.h>

#include "controller/controller.h"
#include "proto/base/array.h"
#include "proto/base/random.h"
#include "tests/fuzz/fuzz.h"

#define WALL_MS 1750000000000
#define ROWS_MOST 500

struct lines {
    struct controller_row row[ROWS_MOST];
    size_t n, at;
};

static bool has(const struct lines *l, const struct controller_row *row)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->row[i].table == row->table && strcmp(l->row[i].key, row->key) == 0)
            return true;
    return false;
}

static char *cut(char *text, char at)
{
    char *end = strchr(text, at);

    if (!end)
        return text + strlen(text);
    *end = '\0';
    return end + 1;
}

/* As in the store, a table has a key once. */
static void read_lines(struct lines *l, char *text)
{
    for (char *line = text, *next; *line && l->n < ROWS_MOST; line = next) {
        struct controller_row row;

        next = cut(line, '\n');
        row.key = cut(line, ' ');
        row.value = cut((char *)row.key, ' ');
        row.table = (enum store_table)atoi(line);
        if (!has(l, &row))
            l->row[l->n++] = row;
    }
}

static int next_row(void *data, struct controller_row *ret_row)
{
    struct lines *l = data;

    if (l->at == l->n)
        return 0;
    *ret_row = l->row[l->at++];
    return 1;
}

static void look_at_everything(struct controller *c, int64_t now_ms)
{
    static const char *const kinds[] = { "servedmodels", "powerpools", "powerpolicies",
                                         "nodepowers",   "nodes",      "replicas",
                                         "plans",        "events",     "journal" };
    struct snapshot *s = controller_snapshot(c, now_ms, WALL_MS + now_ms);

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        json_decref(controller_get(c, kinds[i], NULL, now_ms, WALL_MS + now_ms));
    json_decref(controller_report(c, WALL_MS - 3600000, WALL_MS + now_ms, WALL_MS + now_ms));
    snapshot_unref(s);
}

static void live_on(struct controller *c)
{
    for (int64_t now_ms = 1000; now_ms < 300000; now_ms += 30000) {
        struct effects fx = { 0 };

        controller_step(c,
                        &(struct controller_event){ .kind = CE_TICK, .wall_ms = WALL_MS + now_ms },
                        now_ms, &fx);
        effects_done(&fx);
        look_at_everything(c, now_ms);
    }
}

/* --- mutations ----------------------------------------------------------------------------------
 */

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static json_t *strange_value(struct random *r)
{
    static const char *const values[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "1",
        "2",
        "1e308",
        "-1e308",
        "0.5",
        "9.2e18",
        "[]",
        "{}",
        "\"\"",
        "\"a\"",
        "\"2 0 0 1 1\"",
        "[null]",
        "[[]]",
        "\"/\"",
        "9223372036854775807",
        "4294967296",
        "\"*\"",
        "[1,2]",
        "\"-1s\"",
        "-9223372036854775808",
        "2147483648",
        "\"NaN\"",
        "\"T99\"",
        "65536",
        "\"2026-13-01T00:00:00Z\"",
    };

    return json_loads(values[random_below(r, ARRAY_LEN(values))], JSON_DECODE_ANY, NULL);
}

/* Replaces, or takes away, one value somewhere below v. */
static void disturb(json_t *v, struct random *r)
{
    size_t n = json_is_object(v) ? json_object_size(v) : json_array_size(v);
    size_t at = n > 0 ? (size_t)random_below(r, n) : 0, i = 0;
    bool deeper = random_below(r, 4) > 0, drop = random_below(r, 8) == 0;
    json_t *child;
    void *it;

    if (n == 0)
        return;
    if (json_is_array(v)) {
        child = json_array_get(v, at);
        if (deeper && (json_is_array(child) || json_is_object(child)))
            disturb(child, r);
        else if (drop)
            json_array_remove(v, at);
        else
            json_array_set_new(v, at, strange_value(r));
        return;
    }
    for (it = json_object_iter(v); i < at; i++)
        it = json_object_iter_next(v, it);
    child = json_object_iter_value(it);
    if (deeper && (json_is_array(child) || json_is_object(child)))
        disturb(child, r);
    else if (drop)
        json_object_del(v, json_object_iter_key(it));
    else
        json_object_iter_set_new(v, it, strange_value(r));
}

/* The value of one row as it is after disturbing it, or NULL. */
static char *disturb_row(char *value, size_t n, struct random *r)
{
    json_t *v = json_loadb(value, n, 0, NULL);
    char *text = NULL;

    if (v) {
        disturb(v, r);
        text = json_dumps(v, JSON_COMPACT);
    }
    json_decref(v);
    return text;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct random r = random_stream(seed, 0, 0, 0);
    char *text, *line, *end, *value, *other = NULL;
    size_t row = 0;

    if (seed % 2)
        return LLVMFuzzerMutate(data, size, max);
    text = fuzz_text(data, size);
    for (line = text; *line; line = end[0] ? end + 1 : end, row++)
        end = line + strcspn(line, "\n");
    row = row > 0 ? (size_t)random_below(&r, row) : 0;
    for (line = text; row > 0 && (end = strchr(line, '\n')); row--)
        line = end + 1;
    end = line + strcspn(line, "\n");
    value = memchr(line, '{', (size_t)(end - line));
    if (value)
        other = disturb_row(value, (size_t)(end - value), &r);
    if (other && strlen(other) + size - (size_t)(end - value) <= max) {
        size_t before = (size_t)(value - text), after = size - (size_t)(end - text);

        memcpy(data + before, other, strlen(other));
        memcpy(data + before + strlen(other), end, after);
        size = before + strlen(other) + after;
    } else {
        size = LLVMFuzzerMutate(data, size, max);
    }
    free(other);
    free(text);
    return size;
}

/* --- one input ----------------------------------------------------------------------------------
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct controller_options options = { .cluster_id = "c", .instance = 1, .seed = 1 };
    char *text = fuzz_text(data, size);
    struct lines lines = { 0 };
    struct controller *c = NULL;
    struct effects fx = { 0 };
    struct err e = ERR_INIT;

    read_lines(&lines, text);
    if (controller_new(&options, 0, WALL_MS, next_row, &lines, &fx, &c, &e) == 0) {
        live_on(c);
        controller_free(c);
    } else {
        MUST(e.text[0]);
    }
    effects_done(&fx);
    free(text);
    return 0;
}
