# What every target is compiled with.

add_compile_definitions(
    _WIN32_WINNT=0x0A00 # Windows 10
    WIN32_LEAN_AND_MEAN # windows.h would otherwise bring in the old winsock.h
    NOMINMAX            # std::min and std::max stay functions
    UNICODE
    _UNICODE)
include_directories("${PROJECT_SOURCE_DIR}")

if(MSVC) # cl, and clang-cl, which takes the same options
    add_compile_options(/W4 /permissive- /utf-8 /EHsc)
else()
    add_compile_options(-Wall -Wextra -Wpedantic)
    # Wine's DbgHelp, and its debugger with it, reads DWARF 4 and nothing newer.
    add_compile_options($<$<CONFIG:Debug,RelWithDebInfo>:-gdwarf-4>)
endif()
