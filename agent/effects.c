/* What comes out of the core: a list of effects that own their strings. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core.h"
#include "proto/base/array.h"
#include "proto/base/utf8.h"

struct agent_effect *ax_add(struct agent *a, enum agent_effect_kind kind, const char *uid)
{
    struct agent_effect *x = ARRAY_ADD(a->fx, items);

    x->kind = kind;
    x->uid = xstrdup(uid);
    return x;
}

void ax_signal(struct agent *a, const char *uid, int signal)
{
    ax_add(a, AX_SIGNAL, uid)->signal = signal;
}

void ax_log(struct agent *a, enum log_level level, const char *message, ...)
{
    struct agent_effect *x = ax_add(a, AX_LOG, NULL);
    const char *key;
    va_list ap;

    x->log.level = level;
    x->log.message = message;
    va_start(ap, message);
    for (int i = 0; i < AGENT_LOG_PAIRS && (key = va_arg(ap, const char *)) != NULL; i++) {
        x->log.key[i] = key;
        x->log.value[i] = xstrdup(va_arg(ap, const char *));
    }
    va_end(ap);
}

void agent_effect_done(struct agent_effect *x)
{
    free(x->uid);
    if (x->kind == AX_SAVE)
        free(x->save.bytes);
    if (x->kind == AX_SEND)
        free(x->send.bytes);
    if (x->kind == AX_KEEP)
        free(x->keep.bytes);
    for (int i = 0; x->kind == AX_LOG && i < AGENT_LOG_PAIRS; i++)
        free(x->log.value[i]);
    memset(x, 0, sizeof(*x));
}

bool agent_effects_take(struct agent_effects *fx, struct agent_effect *ret_effect)
{
    if (fx->next == fx->n_items) {
        fx->next = fx->n_items = 0;
        return false;
    }
    *ret_effect = fx->items[fx->next++];
    return true;
}

void agent_effects_done(struct agent_effects *fx)
{
    struct agent_effect x;

    while (agent_effects_take(fx, &x))
        agent_effect_done(&x);
    free(fx->items);
    memset(fx, 0, sizeof(*fx));
}

char *clean_text(const char *text, size_t most)
{
    size_t n = strnlen(text ? text : "", most), k;
    char *copy = xmalloc(n + 1);

    memcpy(copy, text ? text : "", n);
    copy[n] = '\0';
    for (size_t i = 0; i < n; i += k) {
        k = utf8_length((const unsigned char *)copy + i);
        if (k == 0)
            copy[i] = '?';
        else if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
            copy[i] = ' ';
        k = k > 0 ? k : 1;
    }
    return copy;
}

bool text_is_clean(const char *text)
{
    AUTO(mem) char *clean = clean_text(text, strlen(text));

    return strcmp(clean, text) == 0;
}

void set_text(char **text, const char *value)
{
    char *copy = clean_text(value, REASON_MAX - 1);

    free(*text);
    *text = copy;
}
