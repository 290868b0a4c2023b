/* SPDX-License-Identifier: GPL-2.0-only */
/* What must hold when these headers are compiled, said in C and in C++ alike. */
#ifndef LB_ASSERT_H
#define LB_ASSERT_H

#ifdef __cplusplus
#define LB_ASSERT(condition, text) static_assert(condition, text)
#else
#define LB_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#define LB_ASSERT_SIZE(type, size) LB_ASSERT(sizeof(type) == (size), #type)

#endif
