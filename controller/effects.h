/* Appending effects to a batch. Strings are copied; `value` and `object` are taken over. */
#ifndef HUDDLE_EFFECTS_H
#define HUDDLE_EFFECTS_H

#include "controller/controller.h"
#include "proto/base/strbuf.h"

void fx_store(struct effects *fx, enum store_table table, const char *key, json_t *value);
void fx_store_text(struct effects *fx, enum store_table table, const char *key, char *value);
void fx_delete(struct effects *fx, enum store_table table, const char *key);
void fx_reply(struct effects *fx, const char *node, struct strbuf *bytes); /* takes the bytes */
struct effect *fx_power(struct effects *fx, const char *node, const char *op,
                        enum power_action action);
void fx_forget(struct effects *fx, const char *node);
void fx_change(struct effects *fx, enum change_type type, const char *kind, const char *name,
               uint64_t version, json_t *object);
void fx_answer(struct effects *fx, uint64_t ticket, int status, json_t *object,
               const char *message);
struct effect *fx_add(struct effects *fx, enum effect_kind kind);

#endif
