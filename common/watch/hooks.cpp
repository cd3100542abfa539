#include "common/watch/hooks.hpp"

#include <exception>

namespace iocp::watch {

hooks_state& hooks() {
    static hooks_state state;
    return state;
}

namespace {

// With the lock of the tables held, and released in any case.
// \return whether there was memory for what was to be done
template <typename Function>
bool with_tables(Function function) {
    bool done = false;
    ::AcquireSRWLockExclusive(&hooks().patching);
    try {
        function();
        done = true;
    } catch (const std::exception&) {
        done = false;
    }
    ::ReleaseSRWLockExclusive(&hooks().patching);
    return done;
}

} // namespace

void install_hooks(recorder& record, HMODULE own, void (*near_the_end)(),
                   void (*at_end)()) {
    hooks_state& state = hooks();
    state.record = &record;
    state.own = own;
    state.near_the_end = near_the_end;
    state.at_end = at_end;
    state.table = new import_table; // for as long as the process lives: its functions may
                                    // be called at the very end
    replace_socket_functions(*state.table);
    replace_overlapped_functions(*state.table);
    replace_ioctl(*state.table);
    replace_result_functions(*state.table);
    replace_wait_functions(*state.table);
    replace_port_functions(*state.table);
    replace_file_functions(*state.table);
    replace_pool_functions(*state.table);
    replace_memory_functions(*state.table);
    replace_loader_functions(*state.table);
    const held_modules loaded;
    state.table->patch(loaded, own);
}

void* instead_of(void* function) {
    hooks_state& state = hooks();
    ::AcquireSRWLockShared(&state.patching);
    void* const ours = state.table->ours_for(function);
    ::ReleaseSRWLockShared(&state.patching);
    return ours != nullptr ? ours : function;
}

void hand_out(void* original, void* ours) {
    hooks_state& state = hooks();
    if (!with_tables([&] { state.table->replace_address(original, ours); })) {
        state.record->lost_sight();
    }
}

void patch_what_has_come() {
    hooks_state& state = hooks();
    try {
        const held_modules loaded;
        if (with_tables([&] {
                replace_memory_functions_of_runtimes(*state.table);
                replace_exits_of_runtimes(*state.table);
                replace_extension_functions(*state.table);
                replace_message_waits(*state.table);
                state.table->patch(loaded, state.own);
            })) {
            return;
        }
    } catch (const std::exception&) { // no memory for the list of modules
    }
    state.record->lost_sight();
}

} // namespace iocp::watch
