/* Two structs of one table: what differs, and taking it over. See field.h. */
#include <math.h>
#include <string.h>

#include "proto/field.h"

static bool same_list(const struct string_list *a, const struct string_list *b)
{
    bool same = a->n == b->n;

    for (size_t i = 0; same && i < a->n; i++)
        same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

static bool same_map(const struct string_map *a, const struct string_map *b)
{
    return a->n == b->n && string_map_selects(a, b);
}

static bool same_number(double a, double b)
{
    return isnan(a) || isnan(b) ? isnan(a) && isnan(b) : !(a < b || a > b);
}

static bool same_numbers(const struct number_list *a, const struct number_list *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (!same_number(a->item[i], b->item[i]))
            return false;
    return a->n == b->n;
}

/* The bytes of a value of this type, which holds whatever it owns by pointer. */
static size_t size_of(enum field_type t)
{
    switch (t) {
    case FIELD_NUMBER:
    case FIELD_SHARE:
        return sizeof(double);
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_TEXT:
        return sizeof(char *);
    case FIELD_WORD:
        return sizeof(int);
    case FIELD_LIST:
        return sizeof(struct string_list);
    case FIELD_MAP:
        return sizeof(struct string_map);
    case FIELD_NUMBERS:
        return sizeof(struct number_list);
    case FIELD_CUSTOM:
        return 0;
    default:
        return sizeof(int64_t);
    }
}

bool field_same(const struct field *f, const void *a, const void *b)
{
    const void *x = (const char *)a + f->offset, *y = (const char *)b + f->offset;

    switch (f->type) {
    case FIELD_TEXT:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case FIELD_LIST:
        return same_list(x, y);
    case FIELD_MAP:
        return same_map(x, y);
    case FIELD_NUMBERS:
        return same_numbers(x, y);
    case FIELD_NUMBER:
    case FIELD_SHARE:
        return same_number(*(const double *)x, *(const double *)y);
    default:
        return memcmp(x, y, size_of(f->type)) == 0;
    }
}

static void swap(const struct field *f, void *a, void *b)
{
    unsigned char *x = (unsigned char *)a + f->offset, *y = (unsigned char *)b + f->offset;

    for (size_t i = 0; i < size_of(f->type); i++) {
        unsigned char byte = x[i];

        x[i] = y[i];
        y[i] = byte;
    }
}

void fields_take_over(const struct field *fields, void *running, void *fresh, fields_tell_fn *tell,
                      void *data)
{
    for (const struct field *f = fields; f->path; f++)
        if (!field_same(f, running, fresh) && tell(data, f))
            swap(f, running, fresh);
}
