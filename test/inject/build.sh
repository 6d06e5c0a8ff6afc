#!/bin/bash
# Links the extension so that any of its calls to other code can be made to
# fail, and builds the library that lets allocations of libcurl fail.
# Needs the objects of the extension, and an x86-64 machine.
#
#   test/inject/build.sh DIRECTORY     makes DIRECTORY/hibob_fdw.so, malloc.so
#
# With --wrap, the linker replaces each reference to an imported function by one
# to a wrapper, so that nothing in src/ has to be changed.  A wrapper saves the
# arguments and calls inject_point().  Then it calls the function, or returns a
# failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PG_CONFIG=${PG_CONFIG:-pg_config}
OUT=$1
mkdir -p "$OUT"
objects=$(find src -name '*.c' | sort | sed 's/c$/o/')
read -ra libraries < <(pkg-config --libs libcurl)

# The imported functions: symbols of the server that are code, and symbols of
# libraries.
imported() {
    # shellcheck disable=SC2086  # a list of files
    nm -u $objects | awk 'NF == 2 { print $2 }' | sort -u |
        comm -23 - <(nm --defined-only $objects |
            awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | sort -u) |
        comm -23 - <(nm -D --defined-only "$("$PG_CONFIG" --bindir)/postgres" |
            awk '$2 !~ /[TWi]/ { print $3 }' | sort -u)
}

# How each fails: "never", "raises", or "returns VALUE ERRNO".  Functions of the
# server raise an error, unless they are known not to allocate or to report.
ENOMEM=12 EMFILE=24 ECONNRESET=104 EIO=5
way() {
    case $1 in
        _GLOBAL_OFFSET_TABLE_ | *setjmp | __stack_chk_fail | inject_* | _ITM_* | \
            __cxa_* | __gmon_start__) echo skip ;;
        # functions that report or handle errors
        err* | geterrcode | *format_elog_string | set_errcontext_domain | \
            pg_re_throw | ReThrowError | FlushErrorState | GUC_check_* | \
            proc_exit | ProcessInterrupts) echo never ;;
        # functions that free, release, read or compute
        pfree | free | *_free | *_free_all | *_cleanup | close | \
            MemoryContextDelete* | MemoryContextReset | MemoryContextSetParent | \
            MemoryContextRegisterResetCallback | *Release* | FreeWaitEventSet | \
            ResetLatch | SetLatch | FileClose | CloseTransientFile | table_close | \
            relation_close | systable_endscan | heap_freetuple | ExecClearTuple | \
            LWLock* | SetUserIdAndSecContext | hash_seq_* | hash_get_num_entries | \
            CacheRegister* | MarkGUCPrefixReserved | ReservePrivate* | \
            Get*UserId* | GetCurrent* | GetDatabaseEncoding | GetSysCacheHashValue | \
            Timestamp* | timestamp* | date* | j2date | time_t_to_timestamptz | \
            bms_is_* | bms_next_member | bms_member* | bms_del_member | \
            clamp_row_est | InstrUpdate* | IsTransactionState | IsSubTransaction | \
            ExecAsync* | TTSOps* | PostmasterIsAliveInternal | superuser | \
            pg_ascii_* | pg_str*cmp | pg_*mb* | pg_qsort | pg_prng_* | pg_verify* | \
            sampler_* | reservoir_* | strlcpy | namestrcpy | list_copy_head | \
            list_truncate | list_member* | list_delete_ptr | exprType | \
            add_path | equal | parse_* | pg_snprintf | pg_strerror | pg_detoast_datum* | \
            heap_datum_check | nocachegetattr | getmissingattr | \
            process_shared_* | RequestAddin* | RequestNamed* | GetNamedLWLock* | \
            ShmemInit* | hash_estimate_size | utf8_to_unicode | \
            DefineCustom* | check_stack_depth) echo never ;;
        # functions of the C library that neither allocate nor call the kernel
        mem* | str* | __ctype* | __errno* | __explicit* | inet_* | sig* | \
            pthread_* | clock_gettime | time | unsetenv | __memcpy* | __str* | \
            qsort | abs) echo never ;;
        hash_search) echo "returns 0 0" ;;
        AcquireExternalFD) echo "returns 0 $EMFILE" ;;
        OpenTransientFile* | socket | epoll_create1 | timerfd_create | fcntl)
            echo "returns -1 $EMFILE" ;;
        connect | recv | read | setsockopt | getsockopt | send)
            echo "returns -1 $ECONNRESET" ;;
        FileWrite | FileRead | fstat | stat | epoll_ctl | epoll_wait | \
            timerfd_settime) echo "returns -1 $EIO" ;;
        realloc | malloc | calloc) echo "returns 0 $ENOMEM" ;;
        pg_cryptohash_create) echo "returns 0 0" ;;
        pg_cryptohash_*) echo "returns -1 0" ;;
        curl_easy_init | curl_multi_init | curl_slist_append | curl_easy_*escape | \
            curl_url) echo "returns 0 0" ;;
        curl_easy_setopt | curl_easy_getinfo | curl_global_init | \
            curl_easy_pause) echo "returns 27 0" ;;
        curl_multi_setopt | curl_multi_perform | curl_multi_socket_action | \
            curl_multi_add_handle | curl_multi_remove_handle | \
            curl_multi_assign) echo "returns 3 0" ;;
        curl_url_set | curl_url_get) echo "returns 7 0" ;;
        curl_easy_header) echo "returns 5 0" ;;
        curl_*) echo never ;;
        *) echo raises ;;
    esac
}

# A wrapper's entry; the common part is in wrappers.S.
entries() {
    local name how value error number
    printf '#include "%s/test/inject/wrappers.S"\n' "$PWD"
    imported | while read -r name; do
        read -r how value error < <(way "$name")
        case $how in
            skip) continue ;;
            never) number=0 ;;
            raises) number=1 ;;
            returns) number=2 ;;
        esac
        echo "WRAPPER $name, $number, ${value:-0}, ${error:-0}"
    done
}

entries >"$OUT/wrappers.S"
mapfile -t names < <(sed -n 's/^WRAPPER \([^,]*\),.*/\1/p' "$OUT/wrappers.S")
[ "${#names[@]}" -gt 100 ] || { echo "too few imported functions" >&2; exit 1; }

gcc -c -o "$OUT/wrappers.o" "$OUT/wrappers.S"
gcc -g -O1 -Wall -Wextra -Wno-unused-parameter -Werror -fPIC \
    '-DPGDLLEXPORT=__attribute__((visibility("default")))' \
    -I"$("$PG_CONFIG" --includedir-server)" -Itest/inject \
    -c -o "$OUT/inject.o" test/inject/inject.c
# shellcheck disable=SC2086  # a list of files
gcc -shared -o "$OUT/hibob_fdw.so" "${names[@]/#/-Wl,--wrap=}" $objects \
    "$OUT/inject.o" "$OUT/wrappers.o" "${libraries[@]}" -ldl
gcc -shared -g -O1 -Wall -Wextra -Werror -fPIC -o "$OUT/malloc.so" \
    test/inject/malloc.c -ldl
