#!/bin/sh
# The pure tests of the library, built for Windows and run under wine: names, records, what is rendered, what is read, goals.
# What needs a machine is not among them: `host/os` is for Unix. Words given go to the test program.
set -u
cd "$(dirname "$0")/../.." || exit 1

target=x86_64-pc-windows-gnu
gcc=x86_64-w64-mingw32-gcc
for tool in "$gcc" wine; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "wine.sh: the library's tests cannot run here as Windows' own: no $tool (apt-get install gcc-mingw-w64-x86-64 wine64 wine)" >&2
        exit 1
    fi
done
if ! test -d "$(rustc --print sysroot)/lib/rustlib/$target" && ! rustup target add "$target"; then
    echo "wine.sh: the library's tests cannot be built here for Windows: Rust has no $target" >&2
    exit 1
fi

# Test by test or module by module, and why.
left_out='ops::init: PID 1 of a container
error::tests::a_failure_names_act_object_and_cause: error numbers are those of Linux
environment::tests::a_program_is_looked_up_in_path_or_from_the_profile: its paths are those of Unix'
skips=$(echo "$left_out" | sed 's/^\([a-z_:]*\): .*/--skip \1/')

mkdir -p target/wine
# Wine before 9 lacks a library that Rust's own asks for its random numbers.
$gcc -shared -o target/wine/bcryptprimitives.dll tests/windows/bcryptprimitives.c -ladvapi32 || exit 1
export WINEPREFIX="$PWD/target/wine/prefix" WINEPATH="Z:$PWD/target/wine" WINEDEBUG=-all
export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
# shellcheck disable=SC2086 # the words are ours
cargo test --locked -p hermes --lib --target $target -- $skips "$@"
code=$?
# Of this prefix alone.
wineserver -k 2>/dev/null
echo "wine.sh: $(wine --version); left out, by name:"
echo "$left_out" | sed 's/^/  /'
exit $code
