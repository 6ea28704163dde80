#!/bin/bash
# Checks the image of all that is odd in layers from inside. Ends with "odd: as it should be".
# An initramfs has no extended attributes: `/check --no-xattrs`.
export LC_ALL=C
wrong=0

# is WHAT EXPECTED GOT
is() {
    [ "$2" = "$3" ] && return
    printf 'wrong: %s: %q instead of %q\n' "$1" "$3" "$2" >&2
    wrong=$((wrong + 1))
}
content() { is "content of $1" "$2" "$(cat "/$1" 2>&1)"; }
# status PATH FORMAT EXPECTED: see stat(1)
status() { is "$2 of $1" "$3" "$(stat -c "$2" "/$1" 2>&1)"; }
target() { is "target of $1" "$2" "$(readlink "/$1" 2>&1)"; }
listing() { is "names in $1" "$2" "$(cd "/$1" && printf '%s ' *)"; }
digest() { is "digest of $1" "$2" "$(sha256sum <"/$1" | cut -d' ' -f1)"; }

# Whiteouts.
is "what .wh.hidden-directory hides" "" "$(ls -d /odd/hidden-directory 2>/dev/null)"
is "whiteouts" "" "$(find / -xdev -name '.wh.*')"
content odd/hidden "hidden once"
content odd/again again
content odd/shown shown
listing odd/opaque "new "
status odd/opaque %a 700

# Replacements.
listing odd/file-to-directory "new "
content odd/directory-to-file "a file now"
target odd/directory-to-link kept
content odd/link-to-file "a file now"
content odd/replaced replaced
status odd/replaced %a 600
content odd/twice "the last one counts"
listing odd/kept "old written-through "
status odd/kept %a 711
target odd/into-kept kept
target lib usr/lib
content usr/lib/written-through "through /lib"
content odd/not/in/the/archive "directories come about"
status odd/not/in "%F %a" "directory 755"

# Hard links.
is "one and three" "$(stat -c %i /odd/one)" "$(stat -c %i /odd/three)"
status odd/three "%h %a" "2 640"
content odd/three "one content"
status odd/two %h 1
content odd/two "another content"

# Special files and modes.
status odd/null "%F %a %t:%T" "character special file 666 1:3"
status odd/block "%F %a %t:%T" "block special file 660 103:11170"
status odd/fifo "%F %a" "fifo 600"
status odd/setuid %a 4755
status odd/setgid "%a %g" "2775 50"
status odd/sticky %a 1777
status odd/nothing %a 0
status odd/owned %u:%g 12345:54321
status odd/owned-pax %u:%g 3000000:4000000
status odd/owned-gnu %u:%g 3000000:4000000
status odd/time %Y 1600000000
status odd/owned %Y 1767225600

# Links that lead nowhere are data.
target odd/loop-a loop-b
target odd/loop-b loop-a
target odd/self self
target odd/dangling /nowhere/at/all
target odd/climbing ../../../../../etc/passwd

# Names.
a=$(printf 'a%.0s' {1..200})
long=odd/$a/${a//a/b}/${a//a/c}
content $'odd/latin-\xe9' pax
status $'odd/latin-\xe9-gnu' %s 0
content $'odd/line\nfeed' "two lines"
content "odd/$(printf 'n%.0s' {1..255})" "255 bytes"
content "$long/pax" long
content "$long/gnu" long
target odd/long-target-pax "/$long/pax"
target odd/long-target-gnu "/$long/gnu"

# A sparse file.
status odd/sparse %s 16777216
digest odd/sparse @SPARSE_DIGEST@

# Extended attributes.
if [ "$1" != --no-xattrs ]; then
    # Nor fractions of a second, which cpio has no room for either.
    status odd/time %y "2020-09-13 12:26:40.987654321 +0000"
    attribute() { is "$2 of $1" "$3" "$(getfattr --only-values --absolute-names -n "$2" "/$1" | od -An -tx1 | tr -d ' \n')"; }
    attribute odd/attributes user.binary "$(printf %02x {0..255})"
    is "names of attributes" "user.binary " \
        "$(getfattr --absolute-names /odd/attributes | sed -n '/^user/p' | sort | tr '\n' ' ')"
    attribute odd/capable security.capability 000000020a000000000000000000000000000000
    is "capabilities" "/odd/capable cap_dac_override,cap_fowner=p" "$(getcap /odd/capable)"
fi

if [ $wrong -gt 0 ]; then
    echo "odd: $wrong wrong" >&2
    exit 1
fi
echo "odd: as it should be"
