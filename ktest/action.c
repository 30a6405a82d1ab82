// SPDX-License-Identifier: MIT
//
// What has to be done when a test is over, or its suite. An action runs like a function of the
// test: it may fail, and it is ended when it hangs.
#include "runner.h"

#define ACTIONS_MAX 32

struct action {
    ktest_action_t *function;
    void *context;
};

struct action_list {
    struct action actions[ACTIONS_MAX];
    size_t count;
};

static struct action_list of_test;
static struct action_list of_suite;

static struct action_list *list_of(const struct ktest *test)
{
    return test->is_in_suite_fixture ? &of_suite : &of_test;
}

bool ktest_add_action(struct ktest *test, ktest_action_t *action, void *context)
{
    struct action_list *list = list_of(test);
    if (list->count == ACTIONS_MAX) {
        ktest_judge(test, KTEST_VERDICT_ERROR, "more than %d actions", ACTIONS_MAX);
        action(context);
        return false;
    }
    list->actions[list->count].function = action;
    list->actions[list->count].context = context;
    list->count++;
    return true;
}

// Takes the last one of these out of the list; false if there is none.
static bool take(struct action_list *list, ktest_action_t *action, const void *context)
{
    for (size_t i = list->count; i-- > 0;) {
        if (list->actions[i].function == action && list->actions[i].context == context) {
            for (list->count--; i < list->count; i++) {
                list->actions[i] = list->actions[i + 1];
            }
            return true;
        }
    }
    return false;
}

void ktest_remove_action(struct ktest *test, ktest_action_t *action, void *context)
{
    (void)take(list_of(test), action, context);
}

void ktest_release_action(struct ktest *test, ktest_action_t *action, void *context)
{
    if (take(list_of(test), action, context)) {
        action(context);
    }
}

void ktest_run_actions(struct ktest *test, bool is_suite)
{
    struct action_list *list = is_suite ? &of_suite : &of_test;
    while (list->count > 0) {
        struct action action = list->actions[--list->count]; // off the list: it is called once
        enum ktest_ending ending = ktest_call(test, action.function, action.context);
        if (ending != KTEST_ENDING_RETURNED) {
            ktest_judge(test, KTEST_VERDICT_FAIL, "an action at the end: %s", test->event);
        }
    }
}
