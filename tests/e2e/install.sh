#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# What 'make install' leaves is whole: programs outside the repository are compiled with the headers
# and the pkg-config file that are there, in C and in C++, linked both ways, and run.
# shellcheck source-path=SCRIPTDIR source=common.sh
source "$(dirname "$0")/common.sh"

TREE=$WORK/tree
STRICT=(-pedantic-errors -Wall -Wextra -Werror)

# Each option is looked up in the tree and nowhere else, since the repository's headers are all there.
package() {
	PKG_CONFIG_PATH=$TREE/opt/lb/lib/pkgconfig pkg-config --define-variable=prefix="$TREE/opt/lb" "$@" liblb
}

write_consumer() {
	cat >"$WORK/consumer.c" <<-'CONSUMER'
		#include <liblb.h>
		#include <lb_watch.h>
		#include <string.h>

		int main(void)
		{
			union lb_addr addr;
			char text[LB_ADDR_TEXT_SIZE];
			struct lb_error err = { "" };

			if (lb_addr_parse("2001:db8::1", &addr) || lb_addr_is_v4(&addr) ||
			    strcmp(lb_addr_format(&addr, text), "2001:db8::1"))
				return 1;
			if (lb_fail(&err, -7, "port %d", 80) != -7 || strcmp(err.text, "port 80"))
				return 1;
			lb_close(NULL);
			puts(LB_VERSION);
			return 0;
		}
	CONSUMER
}

# says_version PROGRAM…: the consumer, which has the version of the lbctl that was installed.
says_version() {
	local said

	said=$("$@")
	[[ $("$TREE/opt/lb/sbin/lbctl" version) == "lbctl $said,"* ]] || {
		echo "says '$said', not the version of lbctl"
		return 1
	}
}

# builds OBJECT LANGUAGE…: with the compiler's words for the language.
builds() {
	local object=$1 flags

	shift
	read -ra flags <<<"$(package --cflags)"
	clang "$@" "${STRICT[@]}" "${flags[@]}" -c "$WORK/consumer.c" -o "$object"
}

# in_language NAME WORD…: against the shared library.
in_language() {
	local libs

	builds "$WORK/$1.o" "${@:2}"
	read -ra libs <<<"$(package --libs)"
	clang "$WORK/$1.o" "${libs[@]}" -o "$WORK/$1"
	says_version env LD_LIBRARY_PATH="$TREE/opt/lb/lib" "$WORK/$1"
}

from_archive() {
	local libs lib

	builds "$WORK/archive.o" -x c -std=c11
	read -ra libs <<<"$(package --libs --static)"
	for lib in "${!libs[@]}"; do
		[ "${libs[lib]}" != -llb ] || libs[lib]=-l:liblb.a
	done
	clang "$WORK/archive.o" "${libs[@]}" -o "$WORK/archive"
	says_version "$WORK/archive"
}

# No header leans on what another one included before it.
stand_alone() {
	local header words flags

	read -ra flags <<<"$(package --cflags)"
	for header in "$TREE"/opt/lb/include/*.h; do
		for words in "c -std=c11" "c++ -std=c++11"; do
			# shellcheck disable=SC2086  # two words
			printf '#include <%s>\nint one(void);\n' "$(basename "$header")" |
				clang -x $words "${STRICT[@]}" "${flags[@]}" -fsyntax-only -
		done
	done
}

trap end_scenario EXIT
need_root
make -s -C "$ROOT" install DESTDIR="$TREE" PREFIX=/opt/lb >"$WORK/log" 2>&1 || {
	cat "$WORK/log" >&2
	die "make install failed"
}
write_consumer
check "a program in C11 builds, links and runs" in_language c -x c -std=c11
check "a program in C++11 builds, links and runs" in_language c++ -x c++ -std=c++11
check "a program with the archive inside needs no shared one" from_archive
check "each header stands alone, in C and in C++" stand_alone
