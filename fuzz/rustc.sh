#!/bin/sh
# A wrapper of rustc that removes from most crates what cargo-fuzz adds to all: coverage counters, which libFuzzer reads
# after each execution, and debug assertions. Dependencies get neither, so that an execution takes a fraction of the time
# and only the code of this project guides the fuzzer. Block execution is instrumented only if COUNT_EXECUTION is set,
# which only pays off for the target `inputs`. Comparisons are traced only in the decoder: elsewhere bytes are choices,
# which are not compared with constants.
rustc=$1
shift
own=
counted=
comparing=
next=
for argument; do
    [ "$next" = --crate-name ] && case $argument in
        enshrine_wire) own=yes counted=yes comparing=yes ;;
        enshrine_codec | enshrine_trie | enshrine_execute | enshrine_variants) own=yes counted=yes ;;
        enshrine_fuzzing | blob_tails | dialects | inputs | trie | updates | wire) own=yes counted=yes ;;
        enshrine_*) own=yes counted=$COUNT_EXECUTION ;;
    esac
    next=$argument
done
for argument; do
    shift
    case $argument in
        -Cllvm-args=-sanitizer-coverage-trace-compares) kept=$comparing ;;
        -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-*) kept=$counted ;;
        -Cdebug-assertions) kept=$own ;;
        *) kept=yes ;;
    esac
    [ -z "$kept" ] || set -- "$@" "$argument"
done
exec "$rustc" "$@"
