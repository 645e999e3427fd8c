/* See beside.h. Threads wait at a gate until all are there. */
#include "controller/cli/beside.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proto/base/array.h"
#include "proto/base/cleanup.h"

#define NICEST 19

enum gate { SHUT, OPEN, GIVEN_UP };

struct party {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    enum gate gate;
};

struct member {
    struct party *party;
    const struct beside_task *task;
    pthread_t thread;
};

static void *join_in(void *data)
{
    struct member *m = data;
    bool goes;

    (void)pthread_mutex_lock(&m->party->lock);
    while (m->party->gate == SHUT)
        (void)pthread_cond_wait(&m->party->moved, &m->party->lock);
    goes = m->party->gate == OPEN;
    (void)pthread_mutex_unlock(&m->party->lock);
    if (goes && m->task->yields)
        (void)setpriority(PRIO_PROCESS, 0, NICEST); /* on Linux 0 is the calling thread */
    if (goes)
        m->task->run(m->task->data);
    return NULL;
}

static void move_gate(struct party *p, enum gate to)
{
    (void)pthread_mutex_lock(&p->lock);
    p->gate = to;
    (void)pthread_cond_broadcast(&p->moved);
    (void)pthread_mutex_unlock(&p->lock);
}

bool beside_run(const struct beside_task *tasks, size_t n)
{
    struct party party = { .gate = SHUT };
    AUTO(mem) struct member *members = xcalloc(n, sizeof(*members));
    size_t there = 1;

    (void)pthread_mutex_init(&party.lock, NULL);
    (void)pthread_cond_init(&party.moved, NULL);
    for (; there < n; there++) {
        members[there] = (struct member){ .party = &party, .task = &tasks[there] };
        if (pthread_create(&members[there].thread, NULL, join_in, &members[there]) != 0)
            break;
    }
    move_gate(&party, there < n ? GIVEN_UP : OPEN);
    if (there == n)
        tasks[0].run(tasks[0].data);
    for (size_t i = 1; i < there; i++)
        (void)pthread_join(members[i].thread, NULL);
    (void)pthread_cond_destroy(&party.moved);
    (void)pthread_mutex_destroy(&party.lock);
    return there == n;
}
