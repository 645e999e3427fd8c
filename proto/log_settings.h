/* What both daemons' configurations say about logging: a part of the struct, and its rows in the
 * table of fields. */
#ifndef HUDDLE_LOG_SETTINGS_H
#define HUDDLE_LOG_SETTINGS_H

#include <stddef.h>

#include "proto/base/log.h"
#include "proto/field.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_settings {
    enum log_level level;
    enum log_format format;
};

/* `at`: where the struct log_settings stands in the one that is read. */
#define LOG_SETTINGS_FIELDS(at)                                                               \
    { "log.level",                                                                            \
      FIELD_WORD,                                                                             \
      (at) + offsetof(struct log_settings, level),                                            \
      "info",                                                                                 \
      0,                                                                                      \
      0,                                                                                      \
      "debug info warn error",                                                                \
      "least level that is logged",                                                           \
      NULL },                                                                                 \
    {                                                                                         \
        "log.format", FIELD_WORD, (at) + offsetof(struct log_settings, format), "text", 0, 0, \
            "text json", "of the log lines", NULL                                             \
    }

#endif
