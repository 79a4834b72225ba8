#!/bin/sh
# Stands in for Apple's C compiler and archiver while code is checked for macOS: nothing is linked then, so the outputs that
# build scripts of dependencies ask for (an Objective-C file of objc2-exception-helper) may be empty.
output=
while [ $# -gt 0 ]; do
    case "$1" in
    -o) output=$2; shift ;;
    *.a) output=$1 ;;
    --version) echo "clang version 15.0.0" ;;
    esac
    shift
done
if [ -n "$output" ]; then : >"$output"; fi
