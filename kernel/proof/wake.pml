// SPDX-License-Identifier: MIT
//
// A model of waker, inbox and sleep (kernel/task/) for Spin: every interleaving of an executor, the
// interrupts of its CPU and another CPU is tried. run_models.py says what has to hold.
//
//   model                 C
//   get, put              reference_get, reference_put (lib/reference_count.h); release of task.c
//   register, clear       atomic_waker_register, atomic_waker_clear (atomic_waker.h)
//   tell, wake_place      the news, then atomic_waker_wake
//   wake                  wake of task.c
//   push                  task_push (task_state.h)
//   sort_inbox, add_last  of the same names in executor.c, with take_inbox
//   take_first            the end of take_next in executor.c
//   poll                  a future that looks, registers and looks again, as join_poll of task.c
//   end, run_task         end and run of executor.c
//   sleep_if_idle         of the same name in executor.c, with executor_is_idle and
//                         cpu_wait_for_interrupt (arch/x86_64/cpu.h)
//   executor              executor_run, with the choice of run_next in executor.c
//
// Each statement is one step, between which all others may come, and each d_step is one atomic
// operation of the C code. Memory is as sequential as x86's is for locked instructions. One
// priority is enough, as only the executor knows of them. What another CPU wakes needs an interrupt
// to be noticed: the kernel has no other CPU yet, and will have to send it.
//
// With one of these defined, the model is wrong, and has to be refuted:
//   NO_SECOND_LOOK           the task is pending when it has registered
//   NEWS_BEHIND_WAKE         first the wake, then the news
//   QUEUED_WHILE_POLLED      the mark is taken away behind the poll
//   WAKE_IN_TWO_STEPS        the mark is looked at, then set
//   PUSH_IN_TWO_STEPS        the inbox is read, then written, whatever has come between
//   END_FORGETS_MARK         an ended task may be queued again
//   END_PUTS_ALWAYS          even if a wake has queued it
//   LOOK_WITH_INTERRUPTS_ON  before the halt
//   HALT_LATER               not right behind sti

#define TASKS 2
#define NONE TASKS

// Tasks. Task 0 waits for two news, one of the interrupt's and one of the other CPU's, which also
// keeps a waker of it and wakes it whenever it likes; task 1 waits for the interrupt.
byte expected[TASKS] = {2, 1};
byte news[TASKS];
byte seen[TASKS];
bool place[TASKS]; // struct atomic_waker: somebody is registered
bool queued[TASKS] = true;
bool ended[TASKS];
byte references[TASKS] = {2, 1};
byte next[TASKS] = {NONE, 0}; // both were spawned, task 1 behind task 0
byte inbox = 1;
byte ready_first = NONE;
byte ready_last;

// The executor's CPU.
bool interrupts_on = true;
bool in_shadow; // of sti
bool halted;
bool in_handler;

// What is still to come.
byte device_interrupts = 2;
bool ipi;
bool other_cpu_is_done;

// For the assertions only: how often each task is in a queue, and was released.
byte places[TASKS] = 1;
byte releases[TASKS];

#define is_there(t) (releases[t] == 0)

inline get(t)
{
    d_step { assert(references[t] != 0); references[t]++ }
}

inline put(t)
{
    d_step {
        assert(references[t] != 0);
        references[t]--;
        if
        :: references[t] == 0 -> releases[t]++
        :: else
        fi
    }
}

inline push(t)
{
    d_step { assert(places[t] == 0); places[t]++; next[t] = inbox };
    do
#ifdef PUSH_IN_TWO_STEPS
    :: inbox = t; break
#else
    :: d_step { inbox == next[t] -> inbox = t }; break
    :: d_step { inbox != next[t] -> next[t] = inbox }
#endif
    od
}

inline wake(t)
{
    assert(is_there(t));
#ifdef WAKE_IN_TWO_STEPS
    before = queued[t];
    queued[t] = true;
#else
    d_step { before = queued[t]; queued[t] = true }
#endif
    if
    :: !before -> push(t)
    :: else
    fi
}

inline exchange(t, registered)
{
    d_step { before = place[t]; place[t] = registered }
}

inline wake_place(t)
{
    exchange(t, false);
    if
    :: before -> wake(t); put(t)
    :: else
    fi
}

inline tell(t)
{
#ifdef NEWS_BEHIND_WAKE
    wake_place(t);
    news[t]++
#else
    news[t]++;
    wake_place(t)
#endif
}

// --- The executor's thread ----------------------------------------------------------------------

inline put_before(t)
{
    if
    :: before -> put(t)
    :: else
    fi
}

inline register(t)
{
    get(t);
    exchange(t, true);
    put_before(t)
}

inline clear(t)
{
    exchange(t, false);
    put_before(t)
}

inline poll(t)
{
    is_pending = false;
    do
    :: seen[t] == expected[t] || is_pending -> break
    :: else ->
        if
        :: news[t] != seen[t] -> seen[t]++
        :: else ->
            register(t);
#ifdef NO_SECOND_LOOK
            is_pending = true
#else
            if
            :: news[t] != seen[t] -> clear(t); seen[t]++
            :: else -> is_pending = true
            fi
#endif
        fi
    od
}

inline end(t)
{
#ifdef END_FORGETS_MARK
    d_step { before = queued[t]; queued[t] = false; ended[t] = true }
#else
    d_step { before = queued[t]; queued[t] = true; ended[t] = true }
#endif
#ifdef END_PUTS_ALWAYS
    before = false;
#endif
    if
    :: !before -> put(t)
    :: else
    fi
}

inline run_task(t)
{
#ifdef QUEUED_WHILE_POLLED
    poll(t);
    queued[t] = false;
#else
    queued[t] = false;
    poll(t);
#endif
    if
    :: !is_pending -> end(t)
    :: else
    fi
}

inline add_last(t)
{
    next[t] = NONE;
    if
    :: ready_first == NONE -> ready_first = t
    :: else -> next[ready_last] = t
    fi;
    ready_last = t
}

inline sort_inbox()
{
    d_step { task = inbox; inbox = NONE };
    first = NONE;
    do
    :: task != NONE -> other = next[task]; next[task] = first; first = task; task = other
    :: else -> break
    od;
    task = first;
    do
    :: task != NONE -> other = next[task]; add_last(task); task = other
    :: else -> break
    od
}

inline take_first(t)
{
    t = ready_first;
    if
    :: t != NONE ->
        d_step { assert(places[t] == 1); assert(is_there(t)); places[t]--; ready_first = next[t] }
    :: else
    fi
}

inline sleep_if_idle()
{
#ifndef LOOK_WITH_INTERRUPTS_ON
    interrupts_on = false;
#endif
    if
    :: inbox == NONE && ready_first == NONE ->
        d_step { in_shadow = !interrupts_on; interrupts_on = true };
#ifdef HALT_LATER
        in_shadow = false; // nop
#endif
        d_step { in_shadow = false; halted = true };
end_asleep:
        !halted
    :: else -> interrupts_on = true
    fi
}

active proctype executor() provided (!in_handler)
{
    byte task, first, other;
    bool before, is_pending;
    do
    :: sort_inbox();
        take_first(task);
        if
        :: task == NONE -> sleep_if_idle()
        :: task != NONE && ended[task] -> put(task)
        :: task != NONE && !ended[task] -> run_task(task)
        fi
    od
}

// --- Who wakes ----------------------------------------------------------------------------------

#define can_interrupt (interrupts_on && !in_shadow)

active proctype interrupt()
{
    byte task;
    bool before;
end_none_left:
    do
    :: d_step {
           device_interrupts != 0 && can_interrupt ->
           device_interrupts--;
           task = device_interrupts;
           in_handler = true;
           halted = false
       };
        tell(task);
        in_handler = false
    :: d_step { ipi && can_interrupt -> ipi = false; halted = false }
    od
}

active proctype other_cpu()
{
    bool before, has_woken, has_told;
    do
    :: !has_woken -> has_woken = true; wake(0); put(0); ipi = true
    :: !has_told -> has_told = true; tell(0); ipi = true
    :: has_woken && has_told -> break
    od;
    other_cpu_is_done = true
}

// --- What has to hold when nothing can happen any more -------------------------------------------

#define is_over (halted && device_interrupts == 0 && !in_handler && !ipi && other_cpu_is_done)
#define no_wake_was_lost (ended[0] && ended[1])
#define each_was_released (releases[0] == 1 && releases[1] == 1)

active proctype judge()
{
    is_over;
    assert(no_wake_was_lost);
    assert(each_was_released)
}

ltl all_tasks_end { <> (ended[0] && ended[1]) }
