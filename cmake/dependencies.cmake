# The two libraries: doctest (tests) and CLI11 (command lines). Both are headers only.
# Targets: doctest::doctest, CLI11::CLI11; function: doctest_discover_tests.

if(NOT CMAKE_CROSSCOMPILING)
    find_package(CLI11 CONFIG REQUIRED)
    if(BUILD_TESTING)
        find_package(doctest CONFIG REQUIRED)
    endif()
    return()
endif()

# On Linux they come from the distribution's packages, in /usr/include. That folder must not reach the cross compiler:
# it holds glibc's headers, too. So a folder of the build tree exposes the two and nothing else.
set(distribution_headers "${CMAKE_BINARY_DIR}/deps/include")
file(MAKE_DIRECTORY "${distribution_headers}")

function(expose_header_library target folder package)
    if(NOT EXISTS "/usr/include/${folder}")
        message(FATAL_ERROR "/usr/include/${folder} is missing: apt-get install ${package}")
    endif()
    file(CREATE_LINK "/usr/include/${folder}" "${distribution_headers}/${folder}" SYMBOLIC)
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE "${distribution_headers}")
endfunction()

expose_header_library(CLI11::CLI11 CLI libcli11-dev)
if(BUILD_TESTING)
    expose_header_library(doctest::doctest doctest doctest-dev)
    find_file(doctest_module doctest.cmake
        PATHS /usr/lib/cmake/doctest /usr/share/cmake/doctest
        NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH REQUIRED)
    include("${doctest_module}")
endif()
