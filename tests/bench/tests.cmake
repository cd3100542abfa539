# The tests of the bench: that the load generator finds what is wrong, and that nothing is wrong with the full server.

find_package(Python3 COMPONENTS Interpreter QUIET)
if(TARGET asio_echo AND Python3_FOUND)
    # The tests start this one, and the linker knows nothing of that.
    add_custom_target(bench_peers ALL)
    add_dependencies(bench_peers asio_echo)
    foreach(case IN ITEMS
            "wrong_servers/each thing that a server does wrong is reported"
            "full_server/the full server makes no error"
            "runner/a short run compares and writes its result"
            "requests/requests are counted and too many are an error"
            "price/an echo of chapter 17 costs at most 6.3 requests to the wineserver where Wine is 8.0")
        cmake_path(GET case PARENT_PATH class)
        cmake_path(GET case FILENAME sentence)
        if(class MATCHES "^(requests|price)$" AND NOT CMAKE_CROSSCOMPILING)
            continue() # only Wine has a server for them
        endif()
        add_test(NAME "bench: ${sentence}" COMMAND "${Python3_EXECUTABLE}" "${CMAKE_CURRENT_SOURCE_DIR}/test_bench.py" ${class})
        set_tests_properties("bench: ${sentence}" PROPERTIES LABELS bench-long TIMEOUT 300 COST 80
            SKIP_REGULAR_EXPRESSION "no price is known"
            ENVIRONMENT "BENCH_BIN=${CMAKE_BINARY_DIR}/bin")
    endforeach()
else()
    set(test "bench: not tried because Python or libasio-dev is missing")
    add_test(NAME "${test}" COMMAND "${CMAKE_COMMAND}" -E false)
    set_tests_properties("${test}" PROPERTIES LABELS bench-long DISABLED TRUE)
endif()
