# A Wine prefix with the stand-ins in its system folder; sourced after tests/ci/places.sh.
# shellcheck shell=bash disable=SC2154

export WINEPREFIX=$cache/wine WINEDEBUG=-all
# Neither a browser engine nor .NET is needed, and nobody is there to be asked about them.
export WINEDLLOVERRIDES="mscoree,mshtml=${WINEDLLOVERRIDES:+;$WINEDLLOVERRIDES}"

# prepare_prefix: makes it, once, and builds the stand-ins, when they have changed.
prepare_prefix() {
    local system=$WINEPREFIX/drive_c/windows/system32 source
    [ -e "$system/kernel32.dll" ] || { mkdir -p "$(dirname "$WINEPREFIX")" && wineboot --init >/dev/null 2>&1; }
    [ -e "$system/kernel32.dll" ] || { echo "wine: no prefix could be made in $WINEPREFIX" >&2; return 1; }
    # Wine 8 says that it is Windows 7, on which Cove does not start a machine.
    wine winecfg -v win10 || return 1
    for source in "$root"/tests/wine/stand-in/*.c; do
        local library=$system/$(basename "$source" .c).dll
        [ "$library" -nt "$source" ] && continue
        x86_64-w64-mingw32-gcc -O1 -Wall -Wno-unused-parameter -Werror -shared -o "$library" "$source" -lws2_32 || return 1
    done
}
