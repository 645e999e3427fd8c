/* The event loop: order of timers, removal from inside callbacks, work from other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/loop.h"

struct world {
    struct loop *l;
    char trace[64];
    struct loop_timer *victim;
    struct loop_io *first, *second;
    int fds[2];
    int posts;
};

static void mark(struct world *w, char c)
{
    w->trace[strlen(w->trace)] = c;
}

static void on_a(void *data, int64_t now_ms)
{
    (void)now_ms;
    mark(data, 'a');
}

static void on_b(void *data, int64_t now_ms)
{
    struct world *w = data;

    (void)now_ms;
    mark(w, 'b');
    loop_timer_remove(w->victim); /* due in this very turn */
}

static void on_c(void *data, int64_t now_ms)
{
    (void)now_ms;
    mark(data, 'c');
}

static void on_end(void *data, int64_t now_ms)
{
    struct world *w = data;

    assert_true(now_ms >= 0);
    mark(w, '.');
    loop_stop(w->l, 7);
}

static void timers_fire_in_order_and_may_be_removed(void **state)
{
    struct world w = { 0 };
    struct loop_timer *a, *b, *end;
    int64_t now = clock_boot_ms();

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    a = loop_timer_add(w.l, on_a, &w);
    b = loop_timer_add(w.l, on_b, &w);
    w.victim = loop_timer_add(w.l, on_c, &w);
    end = loop_timer_add(w.l, on_end, &w);
    loop_timer_arm(end, now + 20);
    loop_timer_arm(b, now + 5);
    loop_timer_arm(w.victim, now + 5);
    loop_timer_arm(a, now + 100);
    loop_timer_arm(a, now - 50); /* arming again replaces */
    assert_int_equal(loop_run(w.l), 7);
    assert_string_equal(w.trace, "ab.");
    assert_true(clock_boot_ms() - now >= 20);
    loop_timer_remove(a);
    loop_timer_remove(b);
    loop_timer_remove(end);
    loop_free(w.l);
}

static void on_second(void *data, int fd, unsigned events)
{
    (void)fd;
    (void)events;
    mark(data, '!');
}

static void on_first(void *data, int fd, unsigned events)
{
    struct world *w = data;
    char c;

    assert_int_equal(read(fd, &c, 1), 1);
    assert_true(events & LOOP_READ);
    mark(w, 'r');
    loop_io_remove(w->second);
    loop_io_remove(w->first);
    loop_stop(w->l, 0);
}

static void a_removed_source_is_not_called(void **state)
{
    struct world w = { 0 };
    int other;

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    assert_int_equal(pipe(w.fds), 0);
    other = dup(w.fds[0]);
    assert_int_equal(write(w.fds[1], "xy", 2), 2);
    assert_int_equal(loop_io_add(w.l, w.fds[0], LOOP_READ, on_first, &w, &w.first), 0);
    assert_int_equal(loop_io_add(w.l, other, LOOP_READ, on_second, &w, &w.second), 0);
    assert_int_equal(loop_run(w.l), 0);
    assert_string_equal(w.trace[0] == '!' ? w.trace + 1 : w.trace, "r");
    loop_free(w.l);
    (void)close(other);
    (void)close(w.fds[0]);
    (void)close(w.fds[1]);
}

static void on_read(void *data, int fd, unsigned events)
{
    char c;

    (void)events;
    assert_int_equal(read(fd, &c, 1), 1);
    mark(data, 'r');
}

/* Of an answer and its time-out in one turn, the answer is heard first. */
static void descriptors_come_before_timers(void **state)
{
    struct world w = { 0 };
    struct loop_timer *a, *end;

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    assert_int_equal(pipe(w.fds), 0);
    assert_int_equal(write(w.fds[1], "x", 1), 1);
    a = loop_timer_add(w.l, on_a, &w);
    end = loop_timer_add(w.l, on_end, &w);
    loop_timer_arm(a, loop_now_ms(w.l) - 1);
    loop_timer_arm(end, loop_now_ms(w.l));
    assert_int_equal(loop_io_add(w.l, w.fds[0], LOOP_READ, on_read, &w, &w.first), 0);
    assert_int_equal(loop_run(w.l), 7);
    assert_string_equal(w.trace, "ra.");
    loop_timer_remove(a);
    loop_timer_remove(end);
    loop_io_remove(w.first);
    loop_free(w.l);
    (void)close(w.fds[0]);
    (void)close(w.fds[1]);
}

static void on_again(void *data, int64_t now_ms)
{
    struct world *w = data;

    mark(w, 'b');
    if (strlen(w->trace) < sizeof(w->trace) - 2)
        loop_timer_arm(w->victim, now_ms - 1);
    else
        loop_stop(w->l, 0);
}

/* One that is always due leaves the descriptors their turns. */
static void a_due_timer_starves_nobody(void **state)
{
    struct world w = { 0 };

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    assert_int_equal(pipe(w.fds), 0);
    assert_int_equal(write(w.fds[1], "xyz", 3), 3);
    w.victim = loop_timer_add(w.l, on_again, &w);
    loop_timer_arm(w.victim, loop_now_ms(w.l));
    assert_int_equal(loop_io_add(w.l, w.fds[0], LOOP_READ, on_read, &w, &w.first), 0);
    assert_int_equal(loop_run(w.l), 0);
    assert_memory_equal(w.trace, "rbrbrbb", 7);
    loop_timer_remove(w.victim);
    loop_io_remove(w.first);
    loop_free(w.l);
    (void)close(w.fds[0]);
    (void)close(w.fds[1]);
}

static void count_post(void *data)
{
    struct world *w = data;

    if (++w->posts == 2000)
        loop_stop(w->l, 0);
}

static void *poster(void *data)
{
    struct world *w = data;

    for (int i = 0; i < 1000; i++)
        loop_post(w->l, count_post, w);
    return NULL;
}

static void posts_of_threads_all_arrive(void **state)
{
    struct world w = { 0 };
    pthread_t threads[2];

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, poster, &w), 0);
    assert_int_equal(loop_run(w.l), 0);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(w.posts, 2000);
    loop_post(w.l, count_post, &w);
    loop_free(w.l);
    assert_int_equal(w.posts, 2001);
}

static void on_signal(void *data, int number)
{
    struct world *w = data;

    assert_int_equal(number, SIGUSR1);
    loop_stop(w->l, 3);
}

static void signals_are_callbacks(void **state)
{
    struct world w = { 0 };
    const int wanted[] = { SIGUSR1, 0 };

    (void)state;
    assert_int_equal(loop_new(&w.l, NULL), 0);
    assert_int_equal(loop_signals(w.l, wanted, on_signal, &w, NULL), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(loop_run(w.l), 3);
    loop_free(w.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_fire_in_order_and_may_be_removed),
        cmocka_unit_test(a_removed_source_is_not_called),
        cmocka_unit_test(descriptors_come_before_timers),
        cmocka_unit_test(a_due_timer_starves_nobody),
        cmocka_unit_test(posts_of_threads_all_arrive),
        cmocka_unit_test(signals_are_callbacks),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
