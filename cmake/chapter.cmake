# add_chapter(NN_name sources...)
# The program of one chapter, or of an encore: target NN_name, <build>/bin/NN_name.exe; and the same objects, linked with
# the watch: target NN_name_watched, <build>/bin/NN_name_watched.exe.
function(add_chapter name)
    add_executable(${name} ${ARGN})
    target_link_libraries(${name} PRIVATE iocp_common)

    add_executable(${name}_watched $<TARGET_OBJECTS:${name}>)
    target_link_libraries(${name}_watched PRIVATE iocp_common iocp_watch iocp_watch_linked)
    set_target_properties(${name}_watched PROPERTIES LINKER_LANGUAGE CXX EXCLUDE_FROM_ALL ON) # tests ask for it
endfunction()

# add_policy(name policy folder)
# Another policy, tests/policies/POLICY.cpp, on the engine in a folder: the same files, and not a copy.
function(add_policy name policy folder)
    add_executable(${name} "${PROJECT_SOURCE_DIR}/tests/policies/${policy}.cpp")
    target_include_directories(${name} PRIVATE "${folder}")
    target_link_libraries(${name} PRIVATE iocp_common)
endfunction()

# add_faulty(name)
# The objects of a program once more, linked so that a test can make its calls fail (tests/faults): target NAME_faulty,
# for tests only.
function(add_faulty name)
    add_executable(${name}_faulty $<TARGET_OBJECTS:${name}>)
    target_link_libraries(${name}_faulty PRIVATE iocp_common iocp_faults)
    set_target_properties(${name}_faulty PROPERTIES LINKER_LANGUAGE CXX EXCLUDE_FROM_ALL ON)
endfunction()

# add_discovered_tests(target LABEL label)
# Each doctest case of the target becomes a test of CTest, named `label: case`, with the label, or, from TEST_SUITE("long"),
# with label-long.
# The names come from the program itself, which is run when it has been built.
# COST: what takes long begins early, or one processor has nothing to do at the end. CTest's own record of how long a test took
# is no help, for it cannot read names with spaces.
function(add_discovered_tests target)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL" "")
    # The quotes keep the space at the end, which cmake -D would take away.
    set(prefix "'${arg_LABEL}: '")
    doctest_discover_tests(${target}
        TEST_SPEC "*" --test-suite-exclude=long
        TEST_PREFIX "${prefix}"
        TEST_LIST ${target}_QUICK
        PROPERTIES LABELS ${arg_LABEL} TIMEOUT 120)
    doctest_discover_tests(${target}
        TEST_SPEC "*" --test-suite=long
        TEST_PREFIX "${prefix}"
        TEST_LIST ${target}_LONG
        PROPERTIES LABELS ${arg_LABEL}-long TIMEOUT 300 COST 50)
endfunction()

# add_chapter_tests(NN_name)
# The checks of one chapter: target NN_name_tests from tests/chapters/NN_name.cpp, labels chapterNN and chapterNN-long;
# and the quick ones a second time on the program that has the watch in it, label chapterNN-watched-long. Not so for chapters 14 to
# 16: what they do is in 17 as well, and tests/watch/check_runs has each chapter under the watch.
function(add_chapter_tests name)
    string(SUBSTRING ${name} 0 2 number)
    add_executable(${name}_tests ${name}.cpp)
    target_link_libraries(${name}_tests PRIVATE test_support)
    if(NOT number STREQUAL "00")
        target_link_libraries(${name}_tests PRIVATE server_cases)
    endif()
    add_faulty(${name})
    # The tests start these, which the linker knows nothing of.
    add_dependencies(${name}_tests ${name} ${name}_faulty ctrl_c)
    add_discovered_tests(${name}_tests LABEL chapter${number})
    if(NOT WATCH_TESTS)
        return()
    endif()
    add_dependencies(${name}_tests ${name}_watched)
    if(number MATCHES "^1[456]$")
        return()
    endif()
    doctest_discover_tests(${name}_tests
        TEST_SPEC "*" --test-suite-exclude=long
        EXTRA_ARGS --watched
        TEST_PREFIX "'chapter${number} watched: '"
        TEST_LIST ${name}_WATCHED
        PROPERTIES LABELS chapter${number}-watched-long TIMEOUT 120)
endfunction()

# add_encore_tests(name sources...)
# The tests of one encore: target NAME_tests, labels encore-NAME and encore-NAME-long; and all of them a second time on the
# program that has the watch in it, label encore-NAME-watched-long: in a storm the rules are broken first.
function(add_encore_tests name)
    add_executable(${name}_tests ${ARGN})
    target_link_libraries(${name}_tests PRIVATE test_support)
    # The tests start these, which the linker knows nothing of.
    add_dependencies(${name}_tests ${name} ctrl_c)
    add_discovered_tests(${name}_tests LABEL encore-${name})
    if(NOT WATCH_TESTS)
        return()
    endif()
    add_dependencies(${name}_tests ${name}_watched)
    doctest_discover_tests(${name}_tests
        TEST_SPEC "*"
        EXTRA_ARGS --watched
        TEST_PREFIX "'encore-${name} watched: '"
        TEST_LIST ${name}_WATCHED
        PROPERTIES LABELS encore-${name}-watched-long TIMEOUT 300)
endfunction()
