// SPDX-License-Identifier: GPL-2.0-only
/* The dashboard, compiled in as it is in dashboard.html. */
#include "admin.h"

__asm__(".section .rodata\n"
	".global page_text\n"
	"page_text: .incbin \"user/lbd/dashboard.html\"\n"
	".byte 0\n"
	".previous\n");
