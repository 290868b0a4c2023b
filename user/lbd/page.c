// SPDX-License-Identifier: GPL-2.0-only
/* The dashboard, compiled in as it is in dashboard.html, and what draws its charts, as Debian has
 * it. */
#include "admin.h"

#define D3 "/usr/share/javascript/d3/d3.min.js" /* libjs-d3, https://d3js.org/ */

__asm__(".section .rodata\n"
	".global page_text, chart_library_text\n"
	"page_text: .incbin \"user/lbd/dashboard.html\"\n"
	".byte 0\n"
	"chart_library_text: .incbin \"" D3 "\"\n"
	".byte 0\n"
	".previous\n");
