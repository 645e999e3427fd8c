/* Numbers with units: what is read and printed reads as the same number. */
#include "proto/quantity.h"
#include "tests/fuzz/fuzz.h"

typedef int read_fn(const char *text, int64_t *ret_value, struct err *e);
typedef void print_fn(int64_t value, char text[QUANTITY_TEXT_MAX]);

static const struct {
    read_fn *read;
    print_fn *print;
} kinds[] = {
    { quantity_cpu, quantity_format_cpu },
    { quantity_bytes, quantity_format_bytes },
    { quantity_duration, quantity_format_duration },
    { quantity_watts, quantity_format_watts },
    { quantity_joules, quantity_format_joules },
    { quantity_time_of_day, quantity_format_time_of_day },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), printed[QUANTITY_TEXT_MAX];
    struct err e = ERR_INIT;
    int64_t value, again;
    double share;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].read(text, &value, &e) < 0)
            continue;
        kinds[i].print(value, printed);
        MUST(strlen(printed) < QUANTITY_TEXT_MAX);
        MUST(kinds[i].read(printed, &again, &e) == 0);
        MUST(again == value);
    }
    if (quantity_share(text, &share, &e) == 0)
        MUST(share >= 0 && share <= 1);
    free(text);
    return 0;
}
