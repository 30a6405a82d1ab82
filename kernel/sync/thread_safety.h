// SPDX-License-Identifier: MIT
//
// What guards what, for clang's thread safety analysis (-Wthread-safety): to read or change what is
// GUARDED_BY a lock without it, to forget to give it back, or to take it twice, does not compile.
// Other compilers read past it. The guard is a lock, or interrupts_off of sync/irq_state.h.
//
// The analysis sees one function at a time and believes what the others declare. It checks the use
// of a variable, and not of its address: so a structure that is worked on by functions of its own
// is guarded by way of a pointer. In C a member of a structure can't be guarded by another one.
#pragma once

#ifdef __clang__
#define THREAD_SAFETY_(attribute_) __attribute__((attribute_))
#else
#define THREAD_SAFETY_(attribute_)
#endif

// Of a type: it can be held.
#define CAPABILITY(name_) THREAD_SAFETY_(capability(name_))

// Of a variable or a member.
#define GUARDED_BY(guard_) THREAD_SAFETY_(guarded_by(guard_))

// Of a function: what its caller holds, what it takes for its caller, what it gives back.
#define REQUIRES(guard_) THREAD_SAFETY_(requires_capability(guard_))
#define ACQUIRES(guard_) THREAD_SAFETY_(acquire_capability(guard_))
#define TRY_ACQUIRES(guard_) THREAD_SAFETY_(try_acquire_capability(true, guard_))
#define RELEASES(guard_) THREAD_SAFETY_(release_capability(guard_))

// Of a function: it is not looked into. Beside it stands why.
#define NO_THREAD_SAFETY_ANALYSIS THREAD_SAFETY_(no_thread_safety_analysis)

// In front of tests that look at what others guard, or take a lock on purpose and don't give it
// back: they are not looked into, up to the file's end.
#ifdef __clang__
#define TESTS_BYPASS_GUARDS _Pragma("clang diagnostic ignored \"-Wthread-safety-analysis\"")
#else
#define TESTS_BYPASS_GUARDS
#endif
