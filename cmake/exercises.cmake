# The reader's own: exercises/NN_name, where the verb `exercise` has copied the start of an exercise to. Each is a target,
# exercise_NN, that nothing else asks for, since a program that is worked on may not compile. A copy that was put aside
# (exercises/05_overlapped_events.1) is none.
file(GLOB exercises CONFIGURE_DEPENDS RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}" exercises/*/CMakeLists.txt)
foreach(exercise IN LISTS exercises)
    if(exercise MATCHES "^(exercises/[0-9][0-9]_[a-z0-9_]+)/CMakeLists\\.txt$")
        add_subdirectory("${CMAKE_MATCH_1}" EXCLUDE_FROM_ALL)
    endif()
endforeach()
