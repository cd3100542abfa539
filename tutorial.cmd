@echo off
rem The front door on Windows: tutorial lists the chapters and the verbs. On Linux the same verbs are in ./tutorial.
rem Everything here stands on plain CMake and its presets. TUTORIAL_PRESET chooses one: msvc, clang-cl or mingw.
setlocal
set "here=%CD%"
cd /d "%~dp0"

set "verb=%~1"
if "%verb%"=="" goto list
if "%verb%"=="help" goto list
if "%verb%"=="--help" goto list
if "%verb%"=="-h" goto list
if "%~2"=="--help" goto list
if "%~3"=="--help" if not "%~2"=="--" goto list
shift
if "%verb%"=="run" goto run
if "%verb%"=="talk" goto talk
if "%verb%"=="test" goto test
if "%verb%"=="check" goto check
if "%verb%"=="watch" goto watch
if "%verb%"=="break" goto break
if "%verb%"=="exercise" goto exercise
if "%verb%"=="single" goto single
if "%verb%"=="bench" goto bench
if "%verb%"=="report" goto report
if "%verb%"=="docs" goto docs
echo tutorial: there is no verb %verb%; tutorial lists them 1>&2
exit /b 2

:list
echo The chapters (* the short route):
for /f "skip=1 tokens=1,2,3* delims=," %%a in (chapters\ladder.csv) do call :line "%%a %%b: %%d" %%c
echo.
echo The encores, after the finale:
for /f "skip=1 tokens=1,2* delims=," %%a in (encores\encores.csv) do echo   %%a: %%c
echo.
echo The verbs (NN is a chapter, or the name of an encore):
echo   tutorial run [NN] [-- ARGS]       builds and starts chapter NN, or the full server, on 127.0.0.1:6000
echo   tutorial talk [--udp] [--port N]  a small client: what you type goes out, what comes back is shown
echo   tutorial test [NN] [--all]        builds and runs the tests, or those of chapter NN; --all adds the long ones
echo   tutorial check NN PROGRAM.exe [--has LIST] [-- ARGS]
echo                                     runs chapter NN's tests against your own server. It says what else could be run
echo   tutorial watch NN^|PROGRAM.exe [OPTIONS] [-- ARGS]
echo                                     runs chapter NN, or an x64 program of your own, and tells what it does with Winsock
echo                                     and ports; options: --strict, --quiet, --only socket=N, --trace FILE
echo   tutorial break [NAME] [right]     lists programs that are wrong, or runs one of them under the watch, or its right twin
echo   tutorial exercise [NN] [--hint] [--again]
echo                                     lists the exercises, or copies one into exercises\, builds it, and says what is missing;
echo                                     --hint: where to look; --again: begins anew, and keeps what you had
echo   tutorial single NN                writes chapter NN, with what it uses of common/, as one .cpp, and prints the command
echo                                     that builds it
echo   tutorial bench [--quick] [-- OPTIONS]
echo                                     measures every chapter's server beside Asio's and Go's, for an hour or so;
echo                                     --quick: some of them, within two minutes; -- --help: what can be chosen
echo   tutorial report [--quick] [--all] runs the probe, the tests and bench --quick, and writes build\report.md, to be sent to us;
echo                                     --quick: the probe alone, in ten seconds; --all: the long tests, too
echo   tutorial docs [--epub]            builds the site; --epub: the same as a book for reading devices
exit /b 0

:run
set "name=17_echo_server"
set "word=%~1"
if "%word%"=="" goto run_arguments
if "%word:~0,1%"=="-" goto run_arguments
call :program_of "%word%"
if errorlevel 1 exit /b 2
shift
:run_arguments
if "%~1"=="" goto run_build
if not "%~1"=="--" goto run_unknown
shift
:run_build
set "then=run_now"
goto rest
:run_now
call :build %name%
if errorlevel 1 exit /b 1
call :say_ready %name%
"build\%preset%\bin\%name%.exe"%arguments%
exit /b %errorlevel%
:run_unknown
echo tutorial: run does not know %~1; what is meant for the program comes after -- 1>&2
exit /b 2

:talk
set "arguments="
if not "%~1"=="--udp" goto talk_port
set "arguments= --udp"
shift
:talk_port
if "%~1"=="" goto talk_build
if not "%~1"=="--port" goto talk_unknown
if not "%~3"=="" goto talk_unknown
set "arguments=%arguments% --port %~2"
:talk_build
call :build talk
if errorlevel 1 exit /b 1
echo Type a line. Ctrl+Z and Enter end. 1>&2
"build\%preset%\bin\talk.exe"%arguments%
exit /b %errorlevel%
:talk_unknown
echo tutorial: talk takes --udp and --port N and nothing else 1>&2
exit /b 2

:test
set "name="
set "all="
:test_word
if "%~1"=="" goto test_build
set "word=%~1"
shift
if "%word%"=="--all" goto test_all
if "%word:~0,1%"=="-" goto test_unknown
if defined name goto test_two
call :program_of "%word%"
if errorlevel 1 exit /b 2
goto test_word
:test_all
set "all=-all"
goto test_word
:test_build
if defined name goto test_one
call :build all
if errorlevel 1 exit /b 1
ctest --preset %preset%%all%
exit /b %errorlevel%
:test_one
call :build %name%_tests
if errorlevel 1 exit /b 1
ctest --preset %preset%%all% -L "^%label%(-watched)?(-long)?$"
exit /b %errorlevel%
:test_unknown
echo tutorial: test does not know %word%; it takes a chapter and --all 1>&2
exit /b 2
:test_two
echo tutorial: test takes one chapter: %word% is one too many 1>&2
exit /b 2

:check
if "%~2"=="" goto check_usage
call :chapter "%~1"
if errorlevel 1 exit /b 2
set "program=%~2"
pushd "%here%"
for %%p in ("%program%") do set "program=%%~fp"
popd
if not exist "%program%" goto check_missing
shift
shift
set "has="
set "bad_word="
:check_word
if "%~1"=="" goto check_build
if "%~1"=="--" goto check_build
if not "%~1"=="--has" goto check_unknown
shift
rem grace,workers comes here as two words, unless it was in quotation marks.
:check_has
set "list=%~1"
if "%list%"=="" goto check_has_end
if "%list:~0,1%"=="-" goto check_has_end
for %%w in (%list%) do call :has_word %%w
if errorlevel 1 exit /b 2
shift
goto check_has
:check_has_end
if not defined has goto check_no_list
goto check_word
:check_build
set "then=check_now"
goto rest
:check_now
call :build %name%_tests
if errorlevel 1 exit /b 1
set "has_option="
if defined has set "has_option= --has %has%"
"build\%preset%\bin\%name%_tests.exe" --test-suite-exclude=long --program "%program%"%has_option%%arguments%
exit /b %errorlevel%
:check_usage
echo tutorial: check takes a chapter and a program: check NN PROGRAM.exe [--has LIST] [-- ARGS] 1>&2
exit /b 2
:check_no_list
echo tutorial: check needs a list after --has: words with commas between them 1>&2
exit /b 2
:check_missing
echo tutorial: there is no program %program% 1>&2
exit /b 2
:check_unknown
echo tutorial: check does not know %~1; what is meant for the program comes after -- 1>&2
exit /b 2

:watch
set "word=%~1"
if "%word%"=="" goto watch_usage
if "%word:~0,1%"=="-" goto watch_usage
set "options="
set "name="
call :encore "%word%"
if defined name goto watch_linked
if not "%word:~0,2%"=="%word%" goto watch_program
call :chapter "%word%"
if errorlevel 1 exit /b 2
:watch_linked
set "options= --linked"
shift
goto watch_word
:watch_program
pushd "%here%"
for %%p in ("%word%") do set "program=%%~fp"
popd
if not exist "%program%" goto check_missing
shift
:watch_word
set "word=%~1"
if "%word%"=="" goto watch_build
if "%word%"=="--" goto watch_arguments
shift
if "%word%"=="--strict" goto watch_flag
if "%word%"=="--quiet" goto watch_flag
if "%word%"=="--hash-sends" goto watch_flag
if "%word%"=="--colour" goto watch_value
if "%word%"=="--trace" goto watch_trace
if "%word%"=="--only" goto watch_only
echo tutorial: watch does not know %word%; what is meant for the program comes after -- 1>&2
exit /b 2
:watch_flag
set "options=%options% %word%"
goto watch_word
:watch_value
if "%~1"=="" goto watch_no_value
if "%~1"=="--" goto watch_no_value
set "options=%options% %word% "%~1""
shift
goto watch_word
:watch_trace
if "%~1"=="" goto watch_no_value
if "%~1"=="--" goto watch_no_value
pushd "%here%"
for %%p in ("%~1") do set "options=%options% --trace "%%~fp""
popd
shift
goto watch_word
rem socket=3,5 comes here as the words socket, 3 and 5, unless it was in quotation marks.
:watch_only
if "%~1"=="" goto watch_no_value
if "%~1"=="--" goto watch_no_value
set "only=%~1"
shift
if "%only%"=="socket" set "only=socket="
:watch_number
set "word=%~1"
if "%word%"=="" goto watch_only_end
if "%word:~0,1%"=="-" goto watch_only_end
if not "%only:~-1%"=="=" set "only=%only%,"
set "only=%only%%word%"
shift
goto watch_number
:watch_only_end
set "options=%options% --only "%only%""
goto watch_word
:watch_arguments
shift
:watch_build
set "then=watch_now"
goto rest
:watch_now
if defined name goto watch_chapter
call :build watch watch_dll
if errorlevel 1 exit /b 1
set "watch=%CD%\build\%preset%\bin\watch.exe"
cd /d "%here%"
"%watch%"%options% "%program%"%arguments%
exit /b %errorlevel%
:watch_chapter
call :build watch %name%_watched
if errorlevel 1 exit /b 1
call :say_ready %name%
"build\%preset%\bin\watch.exe"%options% "build\%preset%\bin\%name%_watched.exe"%arguments%
exit /b %errorlevel%
:watch_usage
echo tutorial: watch takes a chapter or a program: watch NN^|PROGRAM.exe [OPTIONS] [-- ARGS] 1>&2
exit /b 2
:watch_no_value
echo tutorial: watch needs a value after %word% 1>&2
exit /b 2

:break
set "wanted=%~1"
if "%wanted%"=="" goto break_list
set "wanted=%wanted:-=_%"
set "name="
for /f "skip=1 tokens=1-4* delims=," %%a in (tests\watch\programs\programs.csv) do if "%%a"=="%wanted%" call :wrong_program %%a %%b %%c %%d "%%e"
if not defined name goto break_unknown
set "which=%~2"
if not "%~3"=="" goto break_words
if "%which%"=="" set "which=wrong"
if "%which%"=="wrong" goto break_build
if not "%which%"=="right" goto break_words
:break_build
set "program=watch_%name%"
set "options="
if "%way%"=="linked" goto break_linked
if "%way%"=="hash-sends" set "options= --hash-sends"
call :build watch watch_dll %program%
if errorlevel 1 exit /b 1
goto break_run
:break_linked
set "program=%program%_watched"
set "options= --linked"
call :build watch %program%
if errorlevel 1 exit /b 1
:break_run
set "kind=Encore"
if "%number:~2%"=="" set "kind=Chapter"
echo %kind% %number%: %what%. 1>&2
echo This is tests/watch/programs/%name%.cpp, [%which%]; the page is %page%. 1>&2
"build\%preset%\bin\watch.exe" --quiet --strict%options% "build\%preset%\bin\%program%.exe" %which%
set "status=%errorlevel%"
if "%which%"=="wrong" echo It has ended with status %status%. Its right twin: tutorial break %name% right 1>&2
if "%which%"=="right" echo The right twin has ended with status %status%. 1>&2
exit /b %status%
:break_list
echo Wrong programs, by the chapter that invites the mistake:
for /f "skip=1 tokens=1-4* delims=," %%a in (tests\watch\programs\programs.csv) do echo   %%b %%a: %%e
echo.
echo   tutorial break NAME               runs one of them under the watch
echo   tutorial break NAME right         runs its right twin
exit /b 0
:break_unknown
echo tutorial: there is no wrong program %~1; tutorial break lists them 1>&2
exit /b 2
:break_words
echo tutorial: after %~1 break takes right, or nothing 1>&2
exit /b 2

:exercise
set "script=tests\exercises\exercise"
set "number="
set "hint="
set "again="
:exercise_word
set "word=%~1"
if "%word%"=="" goto exercise_words_end
shift
if "%word%"=="--hint" set "hint=yes"
if "%word%"=="--hint" goto exercise_word
if "%word%"=="--again" set "again= --again"
if "%word%"=="--again" goto exercise_word
if "%word:~0,1%"=="-" goto exercise_unknown
if defined number goto exercise_two
call :chapter "%word%"
if errorlevel 1 exit /b 2
set "number=%name:~0,2%"
goto exercise_word
:exercise_words_end
if not defined number if defined hint goto exercise_no_number
if not defined number if defined again goto exercise_no_number
where py >nul 2>&1
if errorlevel 1 goto no_python
if not defined number py %script% list
if not defined number exit /b %errorlevel%
if defined hint py %script% hint %number%
if defined hint exit /b %errorlevel%
py %script% start %number%%again%
if errorlevel 1 exit /b 1
set "targets="
for /f "delims=" %%a in ('py %script% targets %number%') do set "targets=%%a"
call :build %targets%
if errorlevel 1 exit /b 1
py %script% check %number% --bin build\%preset%\bin
exit /b %errorlevel%
:exercise_unknown
echo tutorial: exercise does not know %word%; it takes a chapter, --hint and --again 1>&2
exit /b 2
:exercise_two
echo tutorial: exercise takes one chapter: %word% is one too many 1>&2
exit /b 2
:exercise_no_number
echo tutorial: exercise takes a chapter before --hint and --again 1>&2
exit /b 2

:single
if "%~1"=="" goto single_usage
if not "%~2"=="" goto single_usage
call :program_of "%~1"
if errorlevel 1 exit /b 2
py -c "" >nul 2>&1
if errorlevel 1 goto no_python
call :choose_preset
if errorlevel 1 exit /b 1
py cmake\single.py "%~1" --compiler %preset%
exit /b %errorlevel%
:single_usage
echo tutorial: single takes one chapter, or an encore: single NN 1>&2
exit /b 2

:bench
set "quick="
if not "%~1"=="--quick" goto bench_arguments
set "quick= --quick"
shift
:bench_arguments
if "%~1"=="" goto bench_build
if not "%~1"=="--" goto bench_unknown
shift
:bench_build
set "then=bench_now"
goto rest
:bench_now
where py >nul 2>&1
if errorlevel 1 goto no_python
set "targets=load asio_echo"
for /f "skip=1 tokens=1,2 delims=," %%a in (chapters\ladder.csv) do call :bench_target %%a_%%b
where go >nul 2>&1
if not errorlevel 1 call :bench_target go_echo
call :build %targets%
if errorlevel 1 exit /b 1
set "TUTORIAL_PRESET=%preset%"
py tests\bench\run%quick%%arguments%
exit /b %errorlevel%
:bench_target
set "targets=%targets% %1"
exit /b 0
:bench_unknown
echo tutorial: bench does not know %~1; it takes --quick, and what is meant for tests/bench/run comes after -- 1>&2
exit /b 2
:no_python
echo tutorial: there is no Python here. To install it: winget install Python.Python.3.12 1>&2
exit /b 1

:report
set "all="
set "quick="
:report_word
set "word=%~1"
if "%word%"=="" goto report_build
shift
if "%word%"=="--all" set "all=-all"
if "%word%"=="--quick" set "quick=yes"
if "%word%"=="--all" goto report_word
if "%word%"=="--quick" goto report_word
echo tutorial: report does not know %word%; it takes --quick and --all 1>&2
exit /b 2
:report_build
if defined quick goto report_quick
call :build all
if errorlevel 1 exit /b 1
set "bench=no_bench=there is no Python here"
where py >nul 2>&1
if not errorlevel 1 set "bench=python=py"
cmake -D preset=%preset% -D tests=%preset%%all% -D "%bench%" -P cmake\report.cmake 1>&2
goto report_end
:report_quick
call :build probe_tests
if errorlevel 1 exit /b 1
cmake -D preset=%preset% -P cmake\report.cmake 1>&2
:report_end
if errorlevel 1 exit /b 1
echo %CD%\build\report.md
exit /b 0

:docs
set "as=html"
set "trees=doctrees"
set "result=html\index.html"
if not "%~1"=="--epub" goto docs_words
set "as=epub"
set "trees=epub_doctrees"
set "result=epub\iocp-step-by-step.epub"
shift
:docs_words
if not "%~1"=="" goto docs_unknown
where doxygen >nul 2>&1
if errorlevel 1 goto no_doxygen
where dot >nul 2>&1
if errorlevel 1 goto no_graphviz
py -c "import sphinx, furo, breathe, sphinx_copybutton, matplotlib" >nul 2>&1
if errorlevel 1 goto no_sphinx
if exist build\docs\%as% rmdir /s /q build\docs\%as%
if exist build\docs\%trees% rmdir /s /q build\docs\%trees%
py -m sphinx -q -W --keep-going -b %as% -d build\docs\%trees% docs build\docs\%as% 1>&2
if errorlevel 1 exit /b 1
echo %CD%\build\docs\%result%
exit /b 0
:docs_unknown
echo tutorial: docs does not know %~1; it takes --epub, or nothing 1>&2
exit /b 2
:no_doxygen
echo tutorial: there is no doxygen here. To install it: winget install DimitriVanHeesch.Doxygen 1>&2
exit /b 1
:no_graphviz
echo tutorial: there is no dot here, which is a part of Graphviz. To install it: winget install Graphviz.Graphviz; its folder bin belongs into PATH 1>&2
exit /b 1
:no_sphinx
echo tutorial: there is no Sphinx here. To install it: py -m pip install sphinx furo breathe sphinx-copybutton matplotlib 1>&2
exit /b 1

rem One line of the list: what it says, and yes for the short route.
:line
set "mark= "
if "%2"=="yes" set "mark=*"
echo   %mark%%~1
exit /b 0

rem Only of what waits for clients: all chapters do but 00.
:say_ready
set "listens=yes"
if "%1"=="00_first_packet" set "listens=no"
for /f "skip=1 tokens=1,2 delims=," %%a in (encores\encores.csv) do if "%%a"=="%1" set "listens=%%b"
if "%listens%"=="no" exit /b 0
set "talk=tutorial talk"
if "%listens%"=="datagrams" set "talk=tutorial talk --udp"
echo Ready. In another window: %talk%     (Ctrl+C here ends the server.) 1>&2
exit /b 0

rem Adds a word to has, the list of what a reader's own server has. The row of the title is no such word.
:has_word
for /f "eol=# tokens=1 delims=," %%a in (tests\has.csv) do if "%%a"=="%1" if not "%1"=="word" goto has_known
if not defined bad_word echo tutorial: --has does not know %1. Its words are in tests\has.csv 1>&2
set "bad_word=%1"
exit /b 2
:has_known
if defined bad_word exit /b 2
if defined has set "has=%has%,%1"
if not defined has set "has=%1"
exit /b 0

rem A row of the table of wrong programs.
:wrong_program
set "name=%1"
set "number=%2"
set "way=%3"
set "page=%4"
set "what=%~5"
exit /b 0

rem Sets name to a program, from the number of its chapter, or of an encore; and label to that of its tests.
:program_of
call :encore "%~1"
if defined name exit /b 0
call :chapter "%~1"
if errorlevel 1 exit /b 2
set "label=chapter%name:~0,2%"
exit /b 0

rem Sets name if there is an encore of that name.
:encore
set "name="
for /f "skip=1 tokens=1 delims=," %%a in (encores\encores.csv) do if "%%a"=="%~1" set "name=%%a"
set "label=encore-%name%"
exit /b 0

rem Sets name to the folder of a chapter, from its number: 06 or 6.
:chapter
set "name="
for /f "skip=1 tokens=1,2 delims=," %%a in (chapters\ladder.csv) do if "%%a"=="%~1" set "name=%%a_%%b"
for /f "skip=1 tokens=1,2 delims=," %%a in (chapters\ladder.csv) do if "%%a"=="0%~1" set "name=%%a_%%b"
if defined name exit /b 0
echo tutorial: there is no chapter or encore %~1; tutorial lists them 1>&2
exit /b 2

rem Sets arguments to what is left of the words, any number of them, and goes to where then says. It is not called: a call
rem would have words of its own, and %* does not follow shift.
:rest
set "arguments="
:rest_word
if [%1]==[] goto %then%
set "arguments=%arguments% %1"
shift
goto rest_word

rem Builds targets. Sets preset.
:build
call :choose_preset
if errorlevel 1 exit /b 1
if not defined VCPKG_ROOT if defined VCPKG_INSTALLATION_ROOT set "VCPKG_ROOT=%VCPKG_INSTALLATION_ROOT%"
if not defined VCPKG_ROOT goto no_vcpkg
where cmake >nul 2>&1
if errorlevel 1 goto no_cmake
if exist "build\%preset%\build.ninja" goto configured
cmake --preset %preset% 1>&2
if errorlevel 1 exit /b 1
:configured
cmake --build --preset %preset% --target %* 1>&2
if errorlevel 1 exit /b 1
exit /b 0
:no_vcpkg
echo tutorial: VCPKG_ROOT is not set. vcpkg brings CLI11 and doctest: https://learn.microsoft.com/vcpkg/get_started/get-started 1>&2
exit /b 1
:no_cmake
echo tutorial: there is no cmake here. To install it: winget install Kitware.CMake Ninja-build.Ninja 1>&2
exit /b 1

rem Visual C++ when it is here, on the path or found by vswhere; then clang-cl, then mingw-w64.
:choose_preset
set "preset=%TUTORIAL_PRESET%"
if "%preset%"=="mingw" exit /b 0
where cl >nul 2>&1
if errorlevel 1 goto find_visual_studio
rem A developer prompt says which machine its compiler is for; the plain one is for x86.
if not defined VSCMD_ARG_TGT_ARCH goto visual_studio
if "%VSCMD_ARG_TGT_ARCH%"=="x64" goto visual_studio
:find_visual_studio
set "vswhere=%ProgramFiles(x86)%\Microsoft Visual Studio\Installer\vswhere.exe"
if not exist "%vswhere%" goto no_visual_studio
set "studio="
for /f "usebackq delims=" %%i in (`"%vswhere%" -latest -products * -requires Microsoft.VisualStudio.Component.VC.Tools.x86.x64 -property installationPath`) do set "studio=%%i"
if not defined studio goto no_visual_studio
rem It may bring a vcpkg of its own, and name that instead of the reader's.
set "own_vcpkg=%VCPKG_ROOT%"
call "%studio%\VC\Auxiliary\Build\vcvars64.bat" >nul
if defined own_vcpkg set "VCPKG_ROOT=%own_vcpkg%"
:visual_studio
if not defined preset set "preset=msvc"
exit /b 0
:no_visual_studio
if defined preset exit /b 0
set "preset=clang-cl"
where clang-cl >nul 2>&1
if not errorlevel 1 exit /b 0
set "preset=mingw"
where g++ >nul 2>&1
if not errorlevel 1 exit /b 0
if defined VSCMD_ARG_TGT_ARCH echo tutorial: this prompt is for %VSCMD_ARG_TGT_ARCH%. Please open an x64 Native Tools Command Prompt 1>&2
if defined VSCMD_ARG_TGT_ARCH exit /b 1
echo tutorial: there is no C++ compiler here. Install Visual Studio with "Desktop development with C++", or mingw-w64. 1>&2
exit /b 1
