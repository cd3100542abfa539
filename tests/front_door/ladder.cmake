# cmake -D folders=NAMES -D tests=NAMES -D ladder=FILE -P ladder.cmake
# chapters/ladder.csv, the folders in chapters/ and the sources in tests/chapters/ name the same chapters.

file(STRINGS "${ladder}" lines)
list(POP_FRONT lines)
set(listed "")
foreach(line IN LISTS lines)
    if(NOT line MATCHES "^([0-9][0-9]),([a-z0-9_]+),(yes|no),([^,;]+)$")
        message(FATAL_ERROR "not `number,name,yes or no,idea without a comma or semicolon`: ${line}")
    endif()
    list(APPEND listed "${CMAKE_MATCH_1}_${CMAKE_MATCH_2}")
endforeach()
list(JOIN listed " " listed)
foreach(names IN ITEMS folders tests)
    if(NOT listed STREQUAL ${names})
        message(FATAL_ERROR "chapters/ladder.csv:\n  ${listed}\n${names}:\n  ${${names}}")
    endif()
endforeach()
