#!/bin/sh
# A wrapper of rustc that takes from most crates what cargo-fuzz adds to all: counters of coverage, which libFuzzer reads
# after each execution, and assertions. Dependencies keep neither, so that an execution takes a fraction of the time and
# the code of this project alone guides the fuzzer. The execution of blocks is counted if COUNT_EXECUTION is set, which
# only the target `inputs` is worth. Comparisons are traced in the decoder: elsewhere bytes are choices, and compared to
# nothing.
rustc=$1
shift
own=
counted=
comparing=
next=
for argument; do
    [ "$next" = --crate-name ] && case $argument in
        enshrine_wire) own=yes counted=yes comparing=yes ;;
        enshrine_codec | enshrine_trie | enshrine_store | enshrine_execute | enshrine_variants) own=yes counted=yes ;;
        enshrine_fuzzing | blob_tails | dialects | inputs | trie | wire) own=yes counted=yes ;;
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
