# cmake -D preset=NAME [-D emulator=COMMAND] [-D tests=CTEST_PRESET] [-D python=PROGRAM | -D no_bench=WHY] -P cmake/report.cmake
#
# Writes build/report.md: what the probe and the tests have shown on this machine. tutorial report calls it, on both systems,
# when everything is built; without `tests` it is the probe alone. Ends with an error, after the file is written, when a
# test has failed.

cmake_minimum_required(VERSION 3.25)
get_filename_component(root "${CMAKE_CURRENT_LIST_DIR}" DIRECTORY)
set(tree "${root}/build/${preset}")
set(file "${root}/build/report.md")
set(most 20000) # characters of one part: the form of a tracker takes some 60,000

# --- what leaves this machine has no names of folders and users in it ----------------------------------------------------

function(clean variable)
    set(text "${${variable}}")
    foreach(pair IN ITEMS "root|." "profile|~" "home|~")
        string(REPLACE "|" ";" pair "${pair}")
        list(GET pair 0 what)
        list(GET pair 1 instead)
        set(path "${root}")
        if(what STREQUAL "profile")
            set(path "$ENV{USERPROFILE}")
        elseif(what STREQUAL "home")
            set(path "$ENV{HOME}")
        endif()
        string(LENGTH "${path}" length)
        if(length GREATER 3)
            file(TO_CMAKE_PATH "${path}" forward)
            string(REPLACE "/" "\\" backward "${forward}")
            string(REPLACE "${forward}" "${instead}" text "${text}")
            string(REPLACE "Z:${backward}" "${instead}" text "${text}")
            string(REPLACE "${backward}" "${instead}" text "${text}")
        endif()
    endforeach()
    foreach(name IN ITEMS USERNAME USER COMPUTERNAME HOSTNAME)
        string(LENGTH "$ENV{${name}}" length)
        if(length GREATER 2 AND NOT "$ENV{${name}}" STREQUAL "root")
            string(REPLACE "$ENV{${name}}" "[${name}]" text "${text}")
        endif()
    endforeach()
    string(REPLACE "```" "'''" text "${text}")
    string(REPLACE "\r" "" text "${text}")
    string(LENGTH "${text}" length)
    if(length GREATER most)
        math(EXPR first "${length} - ${most}")
        string(SUBSTRING "${text}" ${first} -1 text)
        string(PREPEND text "[the first ${first} characters are left out]\n")
    endif()
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# --- the machine ---------------------------------------------------------------------------------------------------------

cmake_host_system_information(RESULT name QUERY OS_NAME)
cmake_host_system_information(RESULT release QUERY OS_RELEASE)
cmake_host_system_information(RESULT version QUERY OS_VERSION)
cmake_host_system_information(RESULT processors QUERY NUMBER_OF_LOGICAL_CORES)
cmake_host_system_information(RESULT memory QUERY TOTAL_PHYSICAL_MEMORY)
file(GLOB compilers "${tree}/CMakeFiles/*/CMakeCXXCompiler.cmake")
foreach(compiler IN LISTS compilers)
    include("${compiler}")
endforeach()
find_program(git git)
set(commit "unknown")
if(git)
    execute_process(COMMAND "${git}" -C "${root}" rev-parse --short=12 HEAD
        OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND "${git}" -C "${root}" status --porcelain --untracked-files=no
        OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
        string(APPEND commit ", with changes")
    endif()
endif()
string(TIMESTAMP date "%Y-%m-%d" UTC)

# --- the probe -----------------------------------------------------------------------------------------------------------

message(STATUS "The probe: ten seconds.")
execute_process(COMMAND ${emulator} "${tree}/bin/probe_tests.exe" OUTPUT_VARIABLE probe ERROR_VARIABLE probe RESULT_VARIABLE status)
clean(probe)
string(REGEX MATCH "\\[((Windows|Wine)[^]\n]*)\\]" system "${probe}")
set(system "${CMAKE_MATCH_1}")
foreach(verdict IN ITEMS "as expected" "NOT AS EXPECTED" "so far nobody could say")
    string(REGEX MATCHALL " - ${verdict}" found "${probe}")
    list(LENGTH found count)
    list(APPEND verdicts "${count} ${verdict}")
endforeach()
list(JOIN verdicts ", " verdicts)
if(system MATCHES "^Wine")
    set(verdicts "compared with Windows on a machine that has it")
endif()
set(probe_said "The probe has ended with status ${status}.")

# --- the tests -----------------------------------------------------------------------------------------------------------

set(tests_said "not run")
set(tests_log "")
set(failed FALSE)
if(tests)
    message(STATUS "The tests: some minutes.")
    get_filename_component(ctest "${CMAKE_COMMAND}" DIRECTORY)
    find_program(ctest_program ctest HINTS "${ctest}" REQUIRED)
    execute_process(COMMAND "${ctest_program}" --preset "${tests}" --output-on-failure --no-label-summary
        WORKING_DIRECTORY "${root}" OUTPUT_VARIABLE tests_log ERROR_VARIABLE tests_log
        ECHO_OUTPUT_VARIABLE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        set(failed TRUE)
    endif()
    string(REGEX MATCH "[0-9]+% tests passed[^\n]*" tests_said "${tests_log}")
    # What has passed needs no line.
    string(REGEX REPLACE "[^\n]*(Start +[0-9]+: | Passed )[^\n]*\n" "" tests_log "${tests_log}")
    clean(tests_log)
    if(NOT tests_said)
        set(tests_said "ctest has ended with status ${status}")
    endif()
endif()

# --- the measurement -----------------------------------------------------------------------------------------------------

set(bench "")
if(tests AND python)
    message(STATUS "The measurement: two minutes.")
    execute_process(COMMAND "${python}" "${root}/tests/bench/run" --quick WORKING_DIRECTORY "${root}"
        OUTPUT_VARIABLE bench ERROR_VARIABLE bench_errors RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        string(APPEND bench "${bench_errors}\nIt has ended with status ${status}.\n")
    endif()
    clean(bench)
elseif(no_bench)
    set(bench "Not measured: ${no_bench}\n")
endif()

# --- the file ------------------------------------------------------------------------------------------------------------

set(text "# Report: IOCP Step by Step

- System: ${system}
- Told by CMake: ${name} ${release} ${version}, ${processors} processors, ${memory} MiB
- Compiler: ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}, preset ${preset}
- CMake: ${CMAKE_VERSION}
- Source: ${commit}
- Date: ${date}
- Probe: ${verdicts}
- Tests: ${tests_said}

## The probe

${probe_said}

```text
${probe}```
")
if(tests)
    string(APPEND text "
## The tests

Those that have passed are left out.

```text
${tests_log}```
")
endif()
if(bench)
    string(APPEND text "
## The measurement

```text
${bench}```
")
endif()
file(WRITE "${file}" "${text}")
message(STATUS "Written: ${file}")
if(failed)
    message(FATAL_ERROR "Tests have failed; the report says which.")
endif()
