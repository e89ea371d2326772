#!/bin/sh
# Takes the next number of a series from Monotron, or the next version.
# It needs a POSIX shell, curl 7.52 or newer, od, sed, sleep and tr.
newline='
' # With CRLF it has two characters, and the CR at the end of these lines is part of the comment.
[ "${#newline}" -eq 1 ] || { echo 'monotron: monotron.sh has CRLF line ends: git needs "*.sh text eol=lf" in .gitattributes' >&2; exit 2; } #

# A trace would write the secret to the build's log.
{ set +x; } 2>/dev/null
# Each failure is handled where it happens, whatever options the surrounding shell has.
set +e -f -u
unset IFS
LC_ALL=C
export LC_ALL

usage() {
    cat <<'END'
usage:
  monotron.sh next KEY TOKEN            the number of TOKEN: the same as last time, or the next
  monotron.sh next KEY                  the next number
  monotron.sh build UUID                the next build number
  monotron.sh version NAME PART TOKEN   the next version; PART is major, minor or patch
  monotron.sh calver NAME SCHEME TOKEN  the next calendar version; SCHEME is such as YYYY.0M.MICRO
  monotron.sh get KEY                   the current number, without taking one
  monotron.sh seed KEY VALUE            moves the series up, so that the next number is VALUE + 1

Options stand before the command, as in: monotron.sh --width=6 next KEY

  --remember   next KEY TOKEN also returns the number of an earlier token, if history still has it
  --width=6    the number with zeros in front: 000042
  --pre=rc     version returns a pre-release: 1.3.0-rc.1
  --tz=ZONE    calver goes by the clock of a time zone such as Europe/Berlin instead of UTC

It prints the number or the version and nothing else. If it gets none, it prints nothing, says
why on stderr and exits with 1, or with 2 if it was called incorrectly.

  MONOTRON_URL    the address of the service, such as https://ci.example.com/monotron
  MONOTRON_KEY    an API key and its secret as KEY:SECRET, if the service needs one
  MONOTRON_TRIES  how many times to try before giving up, 1 to 99; 6 by default

Instead of MONOTRON_KEY, MONOTRON_API_KEY and MONOTRON_API_SECRET can hold the two parts.
END
}

main() {
    for tool in curl od sed sleep tr; do
        command -v "$tool" >/dev/null || fail "$tool is not installed here"
    done
    query='' pre='' width='' body=''
    while :; do
        case ${1-} in
        --remember) add_to_query remember true ;;
        --width=*)
            width=${1#*=}
            case $width in
            [123456789] | 1[0123456789]) add_to_query width "$width" ;;
            *) misused "--width must be a number from 1 to 19" ;;
            esac
            ;;
        --pre=*)
            pre=${1#*=}
            add_to_query pre "$pre"
            ;;
        --tz=*) add_to_query tz "${1#*=}" ;;
        *) break ;;
        esac
        shift
    done
    expected=number
    case "$#:${1-}" in
    3:next)
        method=PUT
        encode key "$2"
        path=/v1/series/$encoded
        encode token "$3"
        path=$path/$encoded
        ;;
    2:next)
        method=POST
        encode key "$2"
        path=/v1/series/$encoded
        ;;
    2:build)
        method=POST
        encode UUID "$2"
        path=/$encoded
        ;;
    4:version)
        method=PUT expected=version
        encode name "$2"
        path=/v1/semver/$encoded
        case $3 in
        major | minor | patch) path=$path/$3 ;;
        *) misused "a version's part must be major, minor or patch" ;;
        esac
        encode token "$4"
        path=$path/$encoded
        ;;
    4:calver)
        method=PUT expected='calendar version'
        encode name "$2"
        path=/v1/calver/$encoded
        add_to_query scheme "$3"
        encode token "$4"
        path=$path/$encoded
        ;;
    2:get)
        method=GET
        encode key "$2"
        path=/v1/series/$encoded
        ;;
    3:seed)
        method=PUT
        encode key "$2"
        path=/v1/series/$encoded
        case $3 in
        '' | *[!0123456789]*) misused "the value must be a number" ;;
        esac
        body="{\"value\":$3}"
        ;;
    1:help | 1:-h | 1:--help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
    path=$path$query
    read_settings
    ask_until_answered
}

add_to_query() {
    encode "$1" "$2"
    query="${query:-?}${query:+&}$1=$encoded"
}

# Percent-encodes a name, whose bytes are UTF-8, into $encoded.
encode() {
    rest=$2 encoded=
    [ -n "$rest" ] || misused "the $1 is empty"
    case $rest in
    *[[:cntrl:]]*) misused "the $1 has a control character, such as a line break" ;;
    esac
    # Letters one by one: the meaning of a range depends on the shell.
    letters=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
    while [ -n "$rest" ]; do
        plain=${rest%%[!"${letters}"0123456789._~-]*}
        rest=${rest#"$plain"}
        others=${rest%%["${letters}"0123456789._~-]*}
        rest=${rest#"$others"}
        encoded=$encoded$plain
        [ -n "$others" ] || break
        bytes=$(printf '%s' "$others" | od -An -v -tx1 | tr abcdef ABCDEF)
        [ -n "$bytes" ] || fail "od does not work here"
        for byte in $bytes; do
            encoded=$encoded%$byte
        done
    done
}

read_settings() {
    url=${MONOTRON_URL-}
    case $url in
    '') misused "MONOTRON_URL is not set" ;;
    # It is not shown here, because it may contain a secret.
    *@*) misused "MONOTRON_URL has an @: credentials belong in MONOTRON_KEY" ;;
    *[[:cntrl:][:space:]?\#\\\"]*) misused "MONOTRON_URL has a character that it cannot have" ;;
    http://[!/]* | https://[!/]*) ;;
    *) misused "MONOTRON_URL must start with http:// or https:// and a host name" ;;
    esac
    while [ "$url" != "${url%/}" ]; do
        url=${url%/}
    done

    tries=${MONOTRON_TRIES:-6}
    case $tries in
    *[!0123456789]* | 0* | ???*) misused "MONOTRON_TRIES must be a number from 1 to 99" ;;
    esac

    config=
    read_credentials
    [ -n "$credentials" ] || return 0
    # If printf were a separate program, the secret would be on its command line.
    [ "$(command -v printf)" = printf ] || fail "this shell has no built-in printf"
    escape "$credentials"
    config="user = \"$escaped\""
}

# Puts an API key, a colon and its secret into $credentials, or nothing if there are none.
read_credentials() {
    credentials=${MONOTRON_KEY-}
    if [ -n "$credentials" ]; then
        case $credentials in
        *[[:cntrl:]]*) misused "MONOTRON_KEY has a control character" ;;
        [!:]*:?*) return 0 ;;
        *) misused "MONOTRON_KEY must be an API key, a colon and its secret" ;;
        esac
    fi
    user=${MONOTRON_API_KEY-} secret=${MONOTRON_API_SECRET-}
    case "${user:+key}${secret:+secret}" in
    '') return 0 ;;
    keysecret) ;;
    *) misused "MONOTRON_API_KEY and MONOTRON_API_SECRET belong together: only one is set" ;;
    esac
    case $user$secret in
    *[[:cntrl:]]*) misused "MONOTRON_API_KEY or MONOTRON_API_SECRET has a control character" ;;
    esac
    case $user in
    *:*) misused "MONOTRON_API_KEY has a colon, which a key cannot have" ;;
    esac
    credentials=$user:$secret
}

# Puts a backslash before characters that are special in curl's quoted strings, into $escaped.
escape() {
    rest=$1 escaped=
    while :; do
        plain=${rest%%[\\\"]*}
        escaped=$escaped$plain
        rest=${rest#"$plain"}
        [ -n "$rest" ] || break
        escaped=$escaped\\${rest%"${rest#?}"}
        rest=${rest#?}
    done
}

ask_until_answered() {
    # One key for all tries: a number whose answer was lost is answered again.
    retry_key=$(od -An -v -N16 -tx1 /dev/urandom | tr -d ' \n')
    [ "${#retry_key}" -eq 32 ] || fail "/dev/urandom does not return random bytes"
    try=1 pause=1
    while :; do
        ask
        judge
        [ "$try" -lt "$tries" ] || fail "$url$path: $reason; that was try $try of $tries"
        try=$((try + 1))
        wait=$pause
        [ "$retry_after" -le "$wait" ] || wait=$retry_after
        say "$url$path: $reason; try $try of $tries in $wait s"
        sleep "$wait"
        [ "$pause" -ge 16 ] || pause=$((pause * 2))
    done
}

# Asks once: $failure is curl's exit status, $code the answer's status, $head and $text the rest.
ask() {
    set -- --header 'Accept: text/plain'
    # With a length, even if it is 0: some proxies refuse a request without one.
    [ "$method" = GET ] || set -- "$@" --data "$body" --header 'Content-Type:'
    [ "$method" != POST ] || set -- "$@" --header "Idempotency-Key: \"$retry_key\""
    answer=$(
        {
            # No .curlrc: its options, such as a trace, could write the secret to the log.
            printf '%s\n' "$config" | curl --disable --config - --silent --show-error --include \
                --globoff --path-as-is --proto '=http,https' --connect-timeout 10 --max-time 30 \
                --request "$method" "$@" --write-out '\n%{http_code}' --url "$url$path"
            printf ' %s' "$?"
        } | tr -d '\r\000'
    )
    last=${answer##*"$newline"}
    code=${last% *} failure=${last##* }
    text=${answer%"$newline"*} head=
    # A proxy's answer to CONNECT, or a 100, comes before the answer itself.
    while :; do
        case $text in
        HTTP/*"$newline$newline"*) ;;
        *) break ;;
        esac
        head=${text%%"$newline$newline"*}
        text=${text#*"$newline$newline"}
    done
}

# Ends the script with the number, or if another try cannot help. Otherwise $reason says what went
# wrong, and $retry_after how many seconds the service asks to wait.
judge() {
    retry_after=0
    case $failure:$code in
    0:200)
        is_expected || fail "$url$path: the answer is not a $expected: is this Monotron?"
        printf '%s\n' "$found" || fail "the $expected cannot be written"
        exit 0
        ;;
    0:3??) fail "$url$path: $code, a redirect: MONOTRON_URL must lead to the service itself" ;;
    0:429 | 0:5??)
        describe
        read_retry_after
        ;;
    0:000) fail "$url$path: the answer is not HTTP" ;;
    0:*)
        describe
        fail "$url$path: $reason"
        ;;
    # No such host, no connection, no answer or half of one, and the failures of a restarting proxy.
    5:* | 6:* | 7:* | 16:* | 18:* | 28:* | 35:* | 52:* | 55:* | 56:* | 92:*)
        reason="no answer (curl: $failure)"
        ;;
    *) fail "$url$path: curl failed with exit status $failure" ;;
    esac
}

# Checks that the answer is exactly what was asked for, and puts it into $found.
is_expected() {
    # Without a newline at its end, it may be the first half of a number.
    case $text in
    *"$newline") found=${text%"$newline"} ;;
    *) return 1 ;;
    esac
    plain=$found
    case $expected in
    number)
        # Zeros in front are right only up to the width that was asked for.
        while [ "${#plain}" -le "${width:-0}" ] && [ "$plain" != "${plain#0}" ]; do
            plain=${plain#0}
        done
        [ "${#found}" -ge "${width:-0}" ] || return 1
        ;;
    version)
        # A pre-release is the one that was asked for, and its number.
        if [ -n "$pre" ]; then
            plain=${found%%-*}
            number=${found#"$plain-$pre."}
            case $number in
            "$found" | '' | 0* | *[!0123456789]*) return 1 ;;
            esac
        fi
        ;;
    esac
    case $expected:$plain in
    *:*[!0123456789.]*) return 1 ;;
    number:*.* | number:0* | number: | number:????????????????????*) return 1 ;;
    version:*.*.*.* | *:.* | *:*. | *:*..*) return 1 ;;
    number:* | *version:*.*.* | 'calendar version':*.*) return 0 ;;
    *) return 1 ;;
    esac
}

# Puts the status into $reason, with the detail of a problem (RFC 9457) if there is one.
describe() {
    # On one line and without control characters: programs read a build's log too.
    detail=$(
        printf '%s' "$text" | tr '\001-\037\177' ' ' |
            sed -n 's/.*"detail": *"\([^"\\]*\(\\.[^"\\]*\)*\)".*/\1/p' |
            sed 's/\\\(["\\/]\)/\1/g'
    )
    reason="$code${detail:+: $detail}"
}

read_retry_after() {
    seconds=$(
        printf '%s\n' "$head" | tr '[:upper:]' '[:lower:]' |
            sed -n 's/^retry-after: *0*\([0-9][0-9]*\) *$/\1/p' | sed -n '$p'
    )
    case $seconds in
    '') ;;
    ???* | [789]? | 6[!0]) retry_after=60 ;;
    *) retry_after=$seconds ;;
    esac
}

say() {
    printf 'monotron: %s\n' "$1" >&2
}

fail() {
    say "$1"
    exit 1
}

misused() {
    say "$1"
    exit 2
}

main "$@"
