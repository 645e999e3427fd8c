/* Scope-bound clean-up. `AUTO(plan) struct plan *p = plan_new();` calls plan_free(p) when p leaves
 * its scope; `TAKE(p)` hands the value on and leaves NULL behind, so that the clean-up does
 * nothing. A type takes part by `DEFINE_AUTO(plan, struct plan *, plan_free)` in its header; the
 * free function must accept NULL. */
#ifndef HUDDLE_BASE_CLEANUP_H
#define HUDDLE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define DEFINE_AUTO(name, type, fn)          \
    static inline void auto_##name(type *p_) \
    {                                        \
        if (*p_)                             \
            fn(*p_);                         \
    }                                        \
    struct auto_##name##_needs_semicolon

#define AUTO(name) __attribute__((cleanup(auto_##name), unused))

#define TAKE(p)                   \
    (__extension__({              \
        __auto_type taken_ = (p); \
        (p) = NULL;               \
        taken_;                   \
    }))

/* AUTO(mem) frees any heap pointer; AUTO(fd) closes a descriptor that is not negative. */
static inline void auto_mem(void *p)
{
    free(*(void **)p);
}

static inline void auto_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

#endif
