#include "common/watch/hooks.hpp"

namespace iocp::watch {

hooks_state& hooks() {
    static hooks_state state;
    return state;
}

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
    ::AcquireSRWLockExclusive(&state.patching);
    state.table->replace_address(original, ours);
    ::ReleaseSRWLockExclusive(&state.patching);
}

void patch_what_has_come() {
    hooks_state& state = hooks();
    const held_modules loaded;
    ::AcquireSRWLockExclusive(&state.patching);
    replace_memory_functions_of_runtimes(*state.table);
    replace_exits_of_runtimes(*state.table);
    replace_extension_functions(*state.table);
    replace_message_waits(*state.table);
    state.table->patch(loaded, state.own);
    ::ReleaseSRWLockExclusive(&state.patching);
}

} // namespace iocp::watch
