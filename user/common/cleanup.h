/* SPDX-License-Identifier: GPL-2.0-only */
/* What a function owns is released when its scope ends: CLEANUP(table_free) struct table *table. */
#ifndef COMMON_CLEANUP_H
#define COMMON_CLEANUP_H

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines function_p, which takes the address of the variable as the attribute wants it. */
#define DEFINE_CLEANUP(type, function)                                                             \
	static inline void function##_p(type *variable)                                            \
	{                                                                                          \
		if (*variable)                                                                     \
			function(*variable);                                                       \
	}

#endif
